package agentapi

import (
	"context"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// container is a running container that may be seen.
type container struct {
	*agent.Executor
	// usage is nil if nothing is known of it.
	usage *mesos.ResourceStatistics
}

func (c *container) status() *mesos.ContainerStatus {
	s := &mesos.ContainerStatus{ContainerId: &mesos.ContainerID{Value: &c.Container}}
	if c.Pid > 0 {
		s.ExecutorPid = proto.Uint32(uint32(c.Pid)) //nolint:gosec // positive
	}
	return s
}

// running returns the containers that run and may be seen, or the one with the given id.
func (e *Endpoints) running(ctx context.Context, who access.Principal, only string) ([]container, error) {
	s, err := e.present()
	if err != nil {
		return nil, err
	}
	view, err := e.Control.View(ctx, who, authorizer.ViewContainer)
	if err != nil {
		return nil, endpoint.AccessError(err)
	}
	var out []container
	var ids []string
	for f := range s.Frameworks() {
		info, err := f.Message()
		if err != nil {
			return nil, err
		}
		object := frameworkObject(info)
		for x := range f.Executors() {
			if x.State == agent.ExecutorTerminated || only != "" && only != x.Container {
				continue
			}
			if view.Allows(ctx, &access.Container{ID: x.Container, Executor: executorObject(s, object, x)}) {
				out, ids = append(out, container{Executor: x}), append(ids, x.Container)
			}
		}
	}
	if err := view.Err(); err != nil {
		return nil, endpoint.AccessError(err)
	}
	e.addUsage(ctx, out, ids)
	return out, nil
}

// addUsage adds what is known of the containers' usage. As in Mesos, what cannot be measured is left out, and the log
// says so: a list of containers without some figures is of more use than none.
func (e *Endpoints) addUsage(ctx context.Context, all []container, ids []string) {
	if len(ids) == 0 {
		return
	}
	usage, err := e.Agent.Usage(ctx, ids)
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("what containers use is not known, or in part only", "error", err)
	}
	for i := range all {
		if u, ok := usage[all[i].Container]; ok {
			all[i].usage = statistics(u)
		}
	}
}

// containers answers /containers.
func (e *Endpoints) containers(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if err := e.endpointAllowed(r, who, "/containers"); err != nil {
		return err
	}
	all, err := e.running(r.Context(), who, r.URL.Query().Get("container_id"))
	if err != nil {
		return err
	}
	return writeContainers(w, r, all, true)
}

// statistics answers /monitor/statistics.
func (e *Endpoints) statistics(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if err := e.endpointAllowed(r, who, "/monitor/statistics"); err != nil {
		return err
	}
	all, err := e.running(r.Context(), who, "")
	if err != nil {
		return err
	}
	return writeContainers(w, r, all, false)
}

func writeContainers(w http.ResponseWriter, r *http.Request, all []container, withStatus bool) error {
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.BeginList("")
		for _, c := range all {
			if !withStatus && c.usage == nil {
				continue
			}
			doc.Begin("")
			if withStatus {
				doc.Str("container_id", c.Container)
			}
			doc.Str("executor_id", c.ID)
			doc.Str("executor_name", c.Name)
			doc.Str("framework_id", c.Framework)
			doc.Str("source", c.Source)
			if c.usage != nil {
				doc.Proto("statistics", c.usage)
			}
			if withStatus {
				doc.Proto("status", c.status())
			}
			doc.End()
		}
		doc.EndList()
	})
}

// statistics turns a container's usage into a message.
func statistics(u isolator.Usage) *mesos.ResourceStatistics {
	return &mesos.ResourceStatistics{
		Timestamp: proto.Float64(float64(u.Timestamp.UnixMicro()) / 1e6),
		Processes: u.Processes, Threads: u.Threads,

		CpusUserTimeSecs: u.CPUsUserTimeSecs, CpusSystemTimeSecs: u.CPUsSystemTimeSecs,
		CpusLimit: u.CPUsLimit, CpusSoftLimit: u.CPUsSoftLimit,
		CpusNrPeriods: u.CPUsNrPeriods, CpusNrThrottled: u.CPUsNrThrottled,
		CpusThrottledTimeSecs: u.CPUsThrottledTimeSecs,

		MemTotalBytes: u.MemTotalBytes, MemTotalMemswBytes: u.MemTotalMemswBytes,
		MemKmemUsageBytes: u.MemKmemUsageBytes, MemKmemTcpUsageBytes: u.MemKmemTCPUsageBytes,
		MemLimitBytes: u.MemLimitBytes, MemSoftLimitBytes: u.MemSoftLimitBytes,
		MemFileBytes: u.MemFileBytes, MemAnonBytes: u.MemAnonBytes, MemCacheBytes: u.MemCacheBytes,
		MemRssBytes: u.MemRSSBytes, MemMappedFileBytes: u.MemMappedFileBytes, MemSwapBytes: u.MemSwapBytes,
		MemUnevictableBytes: u.MemUnevictableBytes, MemLowPressureCounter: u.MemLowPressureCounter,
		MemMediumPressureCounter: u.MemMediumPressureCounter, MemCriticalPressureCounter: u.MemCriticalPressureCounter,

		DiskLimitBytes: u.DiskLimitBytes, DiskUsedBytes: u.DiskUsedBytes,

		NetRxPackets: u.NetRxPackets, NetRxBytes: u.NetRxBytes, NetRxErrors: u.NetRxErrors, NetRxDropped: u.NetRxDropped,
		NetTxPackets: u.NetTxPackets, NetTxBytes: u.NetTxBytes, NetTxErrors: u.NetTxErrors, NetTxDropped: u.NetTxDropped,
	}
}
