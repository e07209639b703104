package agentapi

import (
	"context"
	"net/http"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/legacy"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// state answers /state: everything at once.
func (e *Endpoints) state(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	s, err := e.present()
	if err != nil {
		return err
	}
	v, err := e.viewer(r.Context(), who, s)
	if err != nil {
		return endpoint.AccessError(err)
	}
	flags, err := e.About.FlagsVisible(r.Context(), who)
	if err != nil {
		return endpoint.AccessError(err)
	}
	return endpoint.DocumentOrAbort(w, r, func(doc *document.Writer) error {
		doc.Begin("")
		e.writeAgent(doc, s)
		if flags {
			e.About.WriteFlags(doc)
		}
		writeFrameworks(r.Context(), doc, v)
		doc.End()
		return v.Err()
	})
}

// writeAgent writes the members about the agent itself.
func (e *Endpoints) writeAgent(doc *document.Writer, s *agent.State) {
	about.WriteBuild(doc)
	doc.Num("start_time", float64(s.Started.UnixMicro())/1e6)
	doc.Str("id", s.AgentID)
	doc.Str("pid", "slave(1)@"+s.Address)
	doc.Str("hostname", s.Info.GetHostname())
	legacy.AgentCapabilities(doc, s.Capabilities)
	if d := s.Info.GetDomain(); d != nil {
		doc.Proto("domain", d)
	}
	writeResources(doc, s)
	doc.Strs("resource_providers", nil)
	attributes, err := wire.AttributesFromMesos(s.Info.GetAttributes())
	if err == nil { // they were read from the agent's settings
		legacy.Attributes(doc, attributes)
	}
	doc.Str("master_hostname", s.Master.GetHostname())
	doc.Str("log_dir", e.About.LogDir)
}

func writeResources(doc *document.Writer, s *agent.State) {
	legacy.Resources(doc, "resources", s.Total)
	legacy.ByRole(doc, "reserved_resources", s.Total)
	legacy.Resources(doc, "unreserved_resources", s.Total.Unreserved())
	legacy.FullByRole(doc, "reserved_resources_full", s.Total)
	legacy.Full(doc, "unreserved_resources_full", s.Total.Unreserved())
	legacy.ByRole(doc, "reserved_resources_allocated", s.Used)
	legacy.Resources(doc, "unreserved_resources_allocated", s.Used.Unreserved())
}

// writeFrameworks writes `frameworks` and `completed_frameworks`.
func writeFrameworks(ctx context.Context, doc *document.Writer, v *viewer) {
	doc.BeginList("frameworks")
	for f := range v.state.Frameworks() {
		writeFramework(ctx, doc, v, f)
	}
	doc.EndList()
	doc.BeginList("completed_frameworks")
	for _, f := range v.state.CompletedFrameworks() {
		writeFramework(ctx, doc, v, f)
	}
	doc.EndList()
}

func writeFramework(ctx context.Context, doc *document.Writer, v *viewer, one *agent.Framework) {
	f := v.framework(ctx, one)
	if f == nil {
		return
	}
	doc.Begin("")
	doc.Str("id", f.ID)
	doc.Str("name", f.info.GetName())
	doc.Str("user", f.info.GetUser())
	doc.Num("failover_timeout", f.info.GetFailoverTimeout())
	doc.Bool("checkpoint", f.info.GetCheckpoint())
	doc.Str("hostname", f.info.GetHostname())
	if p := f.info.GetPrincipal(); p != "" {
		doc.Str("principal", p)
	}
	legacy.FrameworkRoles(doc, f.info)
	doc.BeginList("executors")
	for x := range f.Executors() {
		writeExecutor(ctx, doc, v, f, x)
	}
	doc.EndList()
	doc.BeginList("completed_executors")
	for _, x := range f.Completed {
		writeExecutor(ctx, doc, v, f, x)
	}
	doc.EndList()
	doc.End()
}

func writeExecutor(ctx context.Context, doc *document.Writer, v *viewer, f *framework, x *agent.Executor) {
	if !v.executor(ctx, f, x) {
		return
	}
	doc.Begin("")
	doc.Str("id", x.ID)
	doc.Str("name", x.Name)
	doc.Str("source", x.Source)
	doc.Str("container", x.Container)
	doc.Str("directory", x.Directory)
	legacy.Resources(doc, "resources", withTasks(x))
	doc.Str("role", x.Role)
	legacy.Labels(doc, x.Labels)
	writeTasks(ctx, doc, v, f, "tasks", x.Tasks)
	writeTasks(ctx, doc, v, f, "queued_tasks", x.Queued)
	writeTasks(ctx, doc, v, f, "completed_tasks", x.Terminated, x.Completed)
	doc.End()
}

// withTasks is what an executor and its tasks have together.
func withTasks(x *agent.Executor) resource.Resources {
	all := x.Resources
	for _, t := range append(append([]*agent.Task(nil), x.Queued...), x.Tasks...) {
		if sum, err := all.Add(t.Resources); err == nil { // it fits, as all of it fits the agent
			all = sum
		}
	}
	return all
}

func writeTasks(ctx context.Context, doc *document.Writer, v *viewer, f *framework, key string, lists ...[]*agent.Task) {
	doc.BeginList(key)
	for _, all := range lists {
		for _, t := range v.tasks(ctx, f, all) {
			legacy.Task(doc, t.Task, t.resources)
		}
	}
	doc.EndList()
}
