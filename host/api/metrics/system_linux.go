package metrics

import "golang.org/x/sys/unix"

// loadUnit is the fixed point of the kernel's load averages.
const loadUnit = 1 << 16

func readSystem() (load [3]float64, mem memory, ok bool) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return load, mem, false
	}
	for i, l := range info.Loads {
		load[i] = float64(l) / loadUnit
	}
	unit := float64(info.Unit)
	return load, memory{total: float64(info.Totalram) * unit, free: float64(info.Freeram) * unit}, true
}
