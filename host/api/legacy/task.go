package legacy

import (
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Task writes a task. Its resources are given apart, since they are not read from the message.
func Task(doc *document.Writer, t *mesos.Task, resources resource.Resources) {
	doc.Begin("")
	doc.Str("id", t.GetTaskId().GetValue())
	doc.Str("name", t.GetName())
	doc.Str("framework_id", t.GetFrameworkId().GetValue())
	doc.Str("executor_id", t.GetExecutorId().GetValue())
	doc.Str("slave_id", t.GetAgentId().GetValue())
	doc.Str("state", t.GetState().String())
	Resources(doc, "resources", resources)
	if len(t.GetLimits()) > 0 {
		doc.Begin("limits")
		for _, name := range sortedKeys(t.GetLimits()) {
			doc.Num(name, t.GetLimits()[name].GetValue())
		}
		doc.End()
	}
	doc.Str("role", taskRole(resources))
	doc.BeginList("statuses")
	for _, s := range t.GetStatuses() {
		status(doc, s)
	}
	doc.EndList()
	if t.User != nil {
		doc.Str("user", t.GetUser())
	}
	Labels(doc, t.GetLabels())
	optional(doc, "discovery", t.GetDiscovery())
	optional(doc, "container", t.GetContainer())
	optional(doc, "health_check", t.GetHealthCheck())
	doc.End()
}

func status(doc *document.Writer, s *mesos.TaskStatus) {
	doc.Begin("")
	doc.Str("state", s.GetState().String())
	doc.Num("timestamp", s.GetTimestamp())
	Labels(doc, s.GetLabels())
	if c := s.GetContainerStatus(); c != nil {
		doc.Proto("container_status", withoutPid(c))
	}
	if s.Healthy != nil {
		doc.Bool("healthy", s.GetHealthy())
	}
	doc.End()
}

// withoutPid leaves out what Mesos does not write here.
func withoutPid(c *mesos.ContainerStatus) *mesos.ContainerStatus {
	return &mesos.ContainerStatus{
		ContainerId: c.ContainerId, NetworkInfos: c.NetworkInfos, CgroupInfo: c.CgroupInfo, //nolint:protogetter // unset stays unset
	}
}

// optional writes a message that is set.
func optional[M interface {
	comparable
	proto.Message
}](doc *document.Writer, key string, m M) {
	var none M
	if m != none {
		doc.Proto(key, m)
	}
}

func taskRole(all resource.Resources) string {
	for r := range all.All() {
		if r.Role != "" {
			return r.Role
		}
	}
	return resource.DefaultRole
}
