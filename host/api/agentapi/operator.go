package agentapi

import (
	"maps"
	"math"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
)

// operator answers one call of the operator API. A call that this release does not serve is answered 501.
func (e *Endpoints) operator(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	call := &agent.Call{}
	if err := endpoint.ReadCall(r, call); err != nil {
		return err
	}
	if err := validate(call); err != nil {
		return err
	}
	media, err := endpoint.AcceptMedia(r)
	if err != nil {
		return err
	}
	switch call.GetType() {
	case agent.Call_GET_STATE, agent.Call_GET_TASKS, agent.Call_GET_EXECUTORS, agent.Call_GET_FRAMEWORKS:
		return e.large(w, r, who, call.GetType(), media)
	}
	answer, err := e.small(r, who, call)
	if err != nil {
		return err
	}
	return endpoint.Message(w, r, media, answer)
}

// validate checks a call's shape, in Mesos's words.
func validate(call *agent.Call) error {
	missing := ""
	switch {
	case call.Type == nil:
		missing = "type"
	case call.GetType() == agent.Call_GET_METRICS && call.GetGetMetrics() == nil:
		missing = "get_metrics"
	case call.GetType() == agent.Call_LIST_FILES && call.GetListFiles() == nil:
		missing = "list_files"
	case call.GetType() == agent.Call_READ_FILE && call.GetReadFile() == nil:
		missing = "read_file"
	}
	if missing != "" {
		return endpoint.BadRequest("Failed to validate agent::Call: Expecting '%s' to be present", missing)
	}
	return nil
}

// small answers the calls whose answer is small.
func (e *Endpoints) small(r *http.Request, who access.Principal, call *agent.Call) (*agent.Response, error) {
	switch call.GetType() {
	case agent.Call_GET_HEALTH:
		return &agent.Response{
			Type:      agent.Response_GET_HEALTH.Enum(),
			GetHealth: &agent.Response_GetHealth{Healthy: proto.Bool(e.About.Healthy())},
		}, nil
	case agent.Call_GET_VERSION:
		return &agent.Response{
			Type:       agent.Response_GET_VERSION.Enum(),
			GetVersion: &agent.Response_GetVersion{VersionInfo: e.About.Build()},
		}, nil
	case agent.Call_GET_METRICS:
		if err := e.endpointAllowed(r, who, "/metrics/snapshot"); err != nil {
			return nil, err
		}
		return &agent.Response{
			Type:       agent.Response_GET_METRICS.Enum(),
			GetMetrics: &agent.Response_GetMetrics{Metrics: e.About.MetricMessages()},
		}, nil
	case agent.Call_GET_FLAGS:
		if _, err := e.Control.Check(r.Context(), who, authorizer.ViewFlags, access.Cluster{}); err != nil {
			return nil, endpoint.AccessError(err)
		}
		return &agent.Response{
			Type:     agent.Response_GET_FLAGS.Enum(),
			GetFlags: &agent.Response_GetFlags{Flags: e.About.FlagMessages()},
		}, nil
	case agent.Call_GET_AGENT:
		s, err := e.present()
		if err != nil {
			return nil, err
		}
		return &agent.Response{
			Type: agent.Response_GET_AGENT.Enum(), GetAgent: &agent.Response_GetAgent{AgentInfo: s.Info},
		}, nil
	case agent.Call_GET_CONTAINERS:
		return e.getContainers(r, who)
	case agent.Call_LIST_FILES:
		return e.listFiles(r, who, call.GetListFiles().GetPath())
	case agent.Call_READ_FILE:
		return e.readFile(r, who, call.GetReadFile())
	}
	return nil, endpoint.Errorf(http.StatusNotImplemented, "This release does not implement %s", call.GetType())
}

func (e *Endpoints) getContainers(r *http.Request, who access.Principal) (*agent.Response, error) {
	all, err := e.running(r.Context(), who, "")
	if err != nil {
		return nil, err
	}
	answer := &agent.Response_GetContainers{}
	for _, c := range all {
		answer.Containers = append(answer.Containers, &agent.Response_GetContainers_Container{
			FrameworkId:        &mesos.FrameworkID{Value: &c.Framework},
			ExecutorId:         &mesos.ExecutorID{Value: &c.ID},
			ExecutorName:       &c.Name,
			ContainerId:        &mesos.ContainerID{Value: &c.Container},
			ContainerStatus:    c.status(),
			ResourceStatistics: c.usage,
		})
	}
	return &agent.Response{Type: agent.Response_GET_CONTAINERS.Enum(), GetContainers: answer}, nil
}

func (e *Endpoints) listFiles(r *http.Request, who access.Principal, path string) (*agent.Response, error) {
	entries, err := e.list(r, who, path)
	if err != nil {
		return nil, missing(err, "", "list")
	}
	answer := &agent.Response_ListFiles{}
	for _, one := range entries {
		answer.FileInfos = append(answer.FileInfos, &mesos.FileInfo{
			Path: &one.path, Nlink: &one.nlink, Size: proto.Uint64(uint64(one.info.Size())),
			Mtime: &mesos.TimeInfo{Nanoseconds: proto.Int64(one.info.ModTime().UnixNano())},
			Mode:  &one.mode, Uid: &one.uid, Gid: &one.gid,
		})
	}
	return &agent.Response{Type: agent.Response_LIST_FILES.Enum(), ListFiles: answer}, nil
}

func (e *Endpoints) readFile(r *http.Request, who access.Principal, call *agent.Call_ReadFile) (*agent.Response, error) {
	length := int64(math.MaxInt64)
	if call.Length != nil {
		length = clamp(call.GetLength())
	}
	data, size, err := e.piece(r, who, call.GetPath(), clamp(call.GetOffset()), length)
	if err != nil {
		return nil, missing(err, "", "read")
	}
	return &agent.Response{
		Type:     agent.Response_READ_FILE.Enum(),
		ReadFile: &agent.Response_ReadFile{Size: proto.Uint64(uint64(size)), Data: append([]byte{}, data...)},
	}, nil
}

// clamp keeps a number within what a file can be long.
func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // it fits now

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
