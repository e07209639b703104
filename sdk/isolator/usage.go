package isolator

import "time"

// Usage is what a container uses: the fields of Mesos's ResourceStatistics that isolators know of. Each
// isolator fills in what it measures; the agent merges. A nil field was not measured.
type Usage struct {
	Timestamp time.Time

	Processes *uint32
	Threads   *uint32

	CPUsUserTimeSecs      *float64
	CPUsSystemTimeSecs    *float64
	CPUsLimit             *float64 // cpus
	CPUsSoftLimit         *float64 // cpus
	CPUsNrPeriods         *uint32
	CPUsNrThrottled       *uint32
	CPUsThrottledTimeSecs *float64

	MemTotalBytes              *uint64
	MemTotalMemswBytes         *uint64
	MemKmemUsageBytes          *uint64
	MemKmemTCPUsageBytes       *uint64
	MemLimitBytes              *uint64
	MemSoftLimitBytes          *uint64
	MemFileBytes               *uint64
	MemAnonBytes               *uint64
	MemCacheBytes              *uint64
	MemRSSBytes                *uint64
	MemMappedFileBytes         *uint64
	MemSwapBytes               *uint64
	MemUnevictableBytes        *uint64
	MemLowPressureCounter      *uint64
	MemMediumPressureCounter   *uint64
	MemCriticalPressureCounter *uint64

	DiskLimitBytes *uint64
	DiskUsedBytes  *uint64

	NetRxPackets *uint64
	NetRxBytes   *uint64
	NetRxErrors  *uint64
	NetRxDropped *uint64
	NetTxPackets *uint64
	NetTxBytes   *uint64
	NetTxErrors  *uint64
	NetTxDropped *uint64
}
