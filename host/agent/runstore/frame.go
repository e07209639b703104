package runstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

const (
	frameHeader = 12       // length, CRC of the length, CRC of the payload: 4 bytes each, little-endian
	maxFrame    = 64 << 20 // bytes; a longer frame is never written
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Why a frame cannot be read.
var (
	errCut     = errors.New("the file ends within a record")
	errCorrupt = errors.New("checksum does not match")
	errForm    = errors.New("record makes no sense")
	errMissing = errors.New("the file is missing")
)

// appendFrame adds a frame with a payload.
func appendFrame(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-4:], castagnoli))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

// nextFrame takes the first frame off b. It returns errCut where b ends too soon. The length has a CRC of its own, for
// one that is wrong would make what follows look cut off.
func nextFrame(b []byte) (payload, rest []byte, err error) {
	if len(b) < frameHeader {
		return nil, nil, errCut
	}
	if crc32.Checksum(b[:4], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, nil, errCorrupt
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	b = b[frameHeader:]
	if uint64(len(b)) < uint64(n) {
		return nil, nil, errCut
	}
	if crc32.Checksum(b[:n], castagnoli) != sum {
		return nil, nil, errCorrupt
	}
	return b[:n], b[n:], nil
}

// Operations in a batch: what it is, the key, and for a put the value; lengths as varints.
const (
	opPut    = 1
	opDelete = 2
)

func appendOps(b []byte, ops []record.Op) []byte {
	for _, op := range ops {
		if op.Value == nil {
			b = appendBlock(append(b, opDelete), op.Key)
			continue
		}
		b = appendBlock(append(b, opPut), op.Key)
		b = appendBlock(b, op.Value)
	}
	return b
}

func appendBlock[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// eachOp calls do with the operations of a batch, in order, whose values belong to the payload. It calls it for none
// if the batch is malformed.
func eachOp(payload []byte, do func(record.Op)) error {
	var ops []record.Op
	for rest := payload; len(rest) > 0; {
		kind := rest[0]
		key, after, ok := block(rest[1:])
		if !ok {
			return errForm
		}
		op := record.Op{Key: string(key)}
		switch kind {
		case opDelete:
		case opPut:
			if op.Value, after, ok = block(after); !ok {
				return errForm
			}
		default:
			return fmt.Errorf("%w: operation %d", errForm, kind)
		}
		rest = after
		ops = append(ops, op)
	}
	for _, op := range ops {
		do(op)
	}
	return nil
}

// block takes a length and as many bytes off b. What it returns is never nil when ok.
func block(b []byte) (v, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n:n], b[n:], true
}
