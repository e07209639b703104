package isolatorconv

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
)

// UsageToProto encodes a container's usage.
func UsageToProto(u isolator.Usage) *isolatorv1.ContainerUsage {
	return &isolatorv1.ContainerUsage{
		Timestamp:                  timestamppb.New(u.Timestamp),
		Processes:                  u.Processes,
		Threads:                    u.Threads,
		CpusUserTimeSecs:           u.CPUsUserTimeSecs,
		CpusSystemTimeSecs:         u.CPUsSystemTimeSecs,
		CpusLimit:                  u.CPUsLimit,
		CpusSoftLimit:              u.CPUsSoftLimit,
		CpusNrPeriods:              u.CPUsNrPeriods,
		CpusNrThrottled:            u.CPUsNrThrottled,
		CpusThrottledTimeSecs:      u.CPUsThrottledTimeSecs,
		MemTotalBytes:              u.MemTotalBytes,
		MemTotalMemswBytes:         u.MemTotalMemswBytes,
		MemKmemUsageBytes:          u.MemKmemUsageBytes,
		MemKmemTcpUsageBytes:       u.MemKmemTCPUsageBytes,
		MemLimitBytes:              u.MemLimitBytes,
		MemSoftLimitBytes:          u.MemSoftLimitBytes,
		MemFileBytes:               u.MemFileBytes,
		MemAnonBytes:               u.MemAnonBytes,
		MemCacheBytes:              u.MemCacheBytes,
		MemRssBytes:                u.MemRSSBytes,
		MemMappedFileBytes:         u.MemMappedFileBytes,
		MemSwapBytes:               u.MemSwapBytes,
		MemUnevictableBytes:        u.MemUnevictableBytes,
		MemLowPressureCounter:      u.MemLowPressureCounter,
		MemMediumPressureCounter:   u.MemMediumPressureCounter,
		MemCriticalPressureCounter: u.MemCriticalPressureCounter,
		DiskLimitBytes:             u.DiskLimitBytes,
		DiskUsedBytes:              u.DiskUsedBytes,
		NetRxPackets:               u.NetRxPackets,
		NetRxBytes:                 u.NetRxBytes,
		NetRxErrors:                u.NetRxErrors,
		NetRxDropped:               u.NetRxDropped,
		NetTxPackets:               u.NetTxPackets,
		NetTxBytes:                 u.NetTxBytes,
		NetTxErrors:                u.NetTxErrors,
		NetTxDropped:               u.NetTxDropped,
	}
}

// UsageFromProto decodes a container's usage.
func UsageFromProto(p *isolatorv1.ContainerUsage) isolator.Usage {
	return isolator.Usage{
		Timestamp:                  p.GetTimestamp().AsTime(),
		Processes:                  p.Processes,
		Threads:                    p.Threads,
		CPUsUserTimeSecs:           p.CpusUserTimeSecs,
		CPUsSystemTimeSecs:         p.CpusSystemTimeSecs,
		CPUsLimit:                  p.CpusLimit,
		CPUsSoftLimit:              p.CpusSoftLimit,
		CPUsNrPeriods:              p.CpusNrPeriods,
		CPUsNrThrottled:            p.CpusNrThrottled,
		CPUsThrottledTimeSecs:      p.CpusThrottledTimeSecs,
		MemTotalBytes:              p.MemTotalBytes,
		MemTotalMemswBytes:         p.MemTotalMemswBytes,
		MemKmemUsageBytes:          p.MemKmemUsageBytes,
		MemKmemTCPUsageBytes:       p.MemKmemTcpUsageBytes,
		MemLimitBytes:              p.MemLimitBytes,
		MemSoftLimitBytes:          p.MemSoftLimitBytes,
		MemFileBytes:               p.MemFileBytes,
		MemAnonBytes:               p.MemAnonBytes,
		MemCacheBytes:              p.MemCacheBytes,
		MemRSSBytes:                p.MemRssBytes,
		MemMappedFileBytes:         p.MemMappedFileBytes,
		MemSwapBytes:               p.MemSwapBytes,
		MemUnevictableBytes:        p.MemUnevictableBytes,
		MemLowPressureCounter:      p.MemLowPressureCounter,
		MemMediumPressureCounter:   p.MemMediumPressureCounter,
		MemCriticalPressureCounter: p.MemCriticalPressureCounter,
		DiskLimitBytes:             p.DiskLimitBytes,
		DiskUsedBytes:              p.DiskUsedBytes,
		NetRxPackets:               p.NetRxPackets,
		NetRxBytes:                 p.NetRxBytes,
		NetRxErrors:                p.NetRxErrors,
		NetRxDropped:               p.NetRxDropped,
		NetTxPackets:               p.NetTxPackets,
		NetTxBytes:                 p.NetTxBytes,
		NetTxErrors:                p.NetTxErrors,
		NetTxDropped:               p.NetTxDropped,
	}
}
