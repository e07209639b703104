// Package runstore keeps what an agent must remember over its own death, but not over the machine's: one value for
// each key, in files that are only ever appended to.
//
// An Append is one write, which the kernel has when it returns, so that kill -9 of the agent loses nothing; it is not
// synced, so that a launch does not wait for a disk. A goroutine syncs in the background. After a restart of the
// machine, told by its boot id, the end of what was written may be missing, and the files are read leniently.
//
// The folder holds at most one snapshot and the logs that follow it:
//
//	000007.snapshot   every key's value when log 8 was begun
//	000008.log        the operations since
//
// Each file is a header and frames: a length, a CRC-32C of that, one of the rest, and a batch of operations that counts
// as a whole or not at all. A log whose end is cut off is good up to there. When the logs have outgrown what is alive, a
// new log is begun and the snapshot that precedes it written in the background, under another name until it is synced.
//
// The package imports the standard library and package record.
package runstore
