package initproto

import "hash/crc32"

// RecordLen is the length of each record in a status file.
const RecordLen = 16

// StatusLen is the most that is written to a status file: one record of each kind from mezzo-init, and two from an agent
// that tells the end of a container that mezzo-init could not tell.
const StatusLen = 5 * RecordLen

// Kind is what a record of a status file says.
type Kind byte

const (
	// Released says that Go was read: the command is about to be started. The value is not used.
	Released Kind = 1
	// Spawned says that the command was started; the value is its process id as mezzo-init sees it.
	Spawned Kind = 2
	// Exited says that the command has ended; the value is its raw wait status.
	Exited Kind = 3
)

// AppendRecord appends a record: "MZ", version, kind, four bytes of zeros, the value and a checksum.
func AppendRecord(dst []byte, kind Kind, value uint32) []byte {
	start := len(dst)
	dst = append(dst, 'M', 'Z', Version, byte(kind), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b := dst[start:]
	putUint32(b[8:], value)
	putUint32(b[12:], crc32.ChecksumIEEE(b[:12]))
	return dst
}

// Status is what a status file says.
type Status struct {
	Released bool
	Pid      int  // of the command, in mezzo-init's pid namespace; 0 when it was not started
	Exited   bool // only then is WaitStatus known
	// WaitStatus is the raw wait status of the command.
	WaitStatus int
}

// ParseStatus reads the records of a status file. A record that is cut off or does not match its checksum ends
// it: mezzo-init writes each with one write, so such a record was never completed.
func ParseStatus(b []byte) Status {
	var s Status
	for ; len(b) >= RecordLen; b = b[RecordLen:] {
		if b[0] != 'M' || b[1] != 'Z' || b[2] != Version || getUint32(b[12:]) != crc32.ChecksumIEEE(b[:12]) {
			break
		}
		value := getUint32(b[8:])
		switch Kind(b[3]) {
		case Released:
			s.Released = true
		case Spawned:
			s.Pid = int(value)
		case Exited:
			s.Exited, s.WaitStatus = true, int(value)
		}
	}
	return s
}

func getUint32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
