package masterapi

import (
	"context"
	"iter"
	"net/url"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/legacy"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// writeFrameworks writes /frameworks, or the one that `framework_id` asks for.
func (e *Endpoints) writeFrameworks(ctx context.Context, doc *document.Writer, v *view.Viewer, q url.Values) {
	doc.Begin("")
	writeFrameworkLists(ctx, doc, v, q.Get("framework_id"))
	doc.Strs("unregistered_frameworks", nil)
	doc.End()
}

// writeFrameworkLists writes `frameworks` and `completed_frameworks`.
func writeFrameworkLists(ctx context.Context, doc *document.Writer, v *view.Viewer, only string) {
	usages, offers := v.State.Usages(), offersByFramework(v.State)
	for _, list := range []struct {
		name string
		all  iter.Seq[*master.Framework]
	}{{"frameworks", v.State.Frameworks()}, {"completed_frameworks", v.State.CompletedFrameworks()}} {
		doc.BeginList(list.name)
		for f := range v.Frameworks(list.all) {
			if only == "" || only == f.ID {
				writeFramework(ctx, doc, v, f, usages[f.ID], offers[f.ID])
			}
		}
		doc.EndList()
	}
}

func offersByFramework(s *master.State) map[string][]*master.Offer {
	all := map[string][]*master.Offer{}
	for o := range s.Offers() {
		all[o.Framework] = append(all[o.Framework], o)
	}
	return all
}

// writeFrameworkHead writes the members that all documents have of a framework. A framework that speaks HTTP has no
// `pid`: there are readers that reject one that is empty.
func writeFrameworkHead(ctx context.Context, doc *document.Writer, v *view.Viewer, f *master.Framework, usage master.Usage) {
	info := f.Info()
	doc.Str("id", f.ID)
	doc.Str("name", f.Name)
	legacy.Resources(doc, "used_resources", v.Resources(ctx, usage.Used))
	legacy.Resources(doc, "offered_resources", v.Resources(ctx, usage.Offered))
	doc.BeginList("capabilities")
	for _, c := range info.GetCapabilities() {
		doc.Str("", c.GetType().String())
	}
	doc.EndList()
	doc.Str("hostname", info.GetHostname())
	doc.Str("webui_url", info.GetWebuiUrl())
	doc.Bool("active", f.Active)
	doc.Bool("connected", f.Connected)
	doc.Bool("recovered", f.Recovered)
}

func writeFramework(ctx context.Context, doc *document.Writer, v *view.Viewer, f *master.Framework,
	usage master.Usage, offers []*master.Offer) {
	info := f.Info()
	doc.Begin("")
	writeFrameworkHead(ctx, doc, v, f, usage)
	doc.Str("user", f.User)
	doc.Num("failover_timeout", info.GetFailoverTimeout())
	doc.Bool("checkpoint", f.Checkpoint)
	doc.Num("registered_time", view.Seconds(f.RegisteredTime))
	doc.Num("unregistered_time", view.Seconds(f.UnregisteredTime))
	if f.Principal != "" {
		doc.Str("principal", f.Principal)
	}
	all, err := usage.Used.Add(usage.Offered)
	if err != nil { // of different agents together, more than can be written down
		all = usage.Used
	}
	legacy.Resources(doc, "resources", v.Resources(ctx, all))
	if !f.ReregisteredTime.IsZero() {
		doc.Num("reregistered_time", view.Seconds(f.ReregisteredTime))
	}
	legacy.FrameworkRoles(doc, info)
	writeTaskList(ctx, doc, v, "tasks", v.State.Tasks(f.ID))
	writeTaskList(ctx, doc, v, "unreachable_tasks", v.State.UnreachableTasks(f.ID))
	writeTaskList(ctx, doc, v, "completed_tasks", v.State.CompletedTasks(f.ID))
	writeOffers(ctx, doc, v, offers)
	doc.Strs("executors", nil) // command tasks have none, and there are no others yet
	legacy.Labels(doc, info.GetLabels())
	writeConstraints(doc, f)
	doc.End()
}

func writeConstraints(doc *document.Writer, f *master.Framework) {
	if f.Constraints != nil {
		doc.Proto("offer_constraints", f.Constraints)
		return
	}
	doc.Begin("offer_constraints")
	doc.End()
}

func writeOffers(ctx context.Context, doc *document.Writer, v *view.Viewer, offers []*master.Offer) {
	doc.BeginList("offers")
	for _, o := range offers {
		doc.Begin("")
		doc.Str("id", o.ID)
		doc.Str("framework_id", o.Framework)
		doc.Proto("allocation_info", &mesos.Resource_AllocationInfo{Role: &o.Role})
		doc.Str("slave_id", o.Agent)
		legacy.Resources(doc, "resources", v.Resources(ctx, o.Resources))
		doc.End()
	}
	doc.EndList()
}
