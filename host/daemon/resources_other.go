//go:build !linux

package daemon

// totalMemory is the machine's memory in MB; only Linux is asked for it.
func totalMemory() uint64 { return 0 }

// totalDisk is the size in MB of the file system a folder is on; only Linux is asked for it.
func totalDisk(string) uint64 { return 0 }
