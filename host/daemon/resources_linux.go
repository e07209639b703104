package daemon

import "golang.org/x/sys/unix"

// totalMemory is the machine's memory in MB, 0 where it does not tell.
func totalMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return megabytes(info.Totalram * uint64(info.Unit))
}

// totalDisk is the size in MB of the file system a folder is on, 0 where it does not tell.
func totalDisk(dir string) uint64 {
	var info unix.Statfs_t
	if unix.Statfs(dir, &info) != nil {
		return 0
	}
	return megabytes(info.Blocks * uint64(info.Bsize))
}
