package masterapi

import (
	"context"
	"net/url"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/legacy"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// writeSlaves writes /slaves, or the one that `slave_id` asks for.
func (e *Endpoints) writeSlaves(ctx context.Context, doc *document.Writer, v *view.Viewer, q url.Values) {
	doc.Begin("")
	writeAgents(ctx, doc, v, q.Get("slave_id"), writeAgentFull)
	doc.End()
}

// writeAgents writes `slaves` and `recovered_slaves`; end writes the last members of each agent.
func writeAgents(ctx context.Context, doc *document.Writer, v *view.Viewer, only string,
	end func(context.Context, *document.Writer, *view.Viewer, *master.Agent)) {
	doc.BeginList("slaves")
	for a := range v.State.Agents() {
		if only == "" || only == a.ID {
			doc.Begin("")
			writeAgentHead(ctx, doc, v, a)
			end(ctx, doc, v, a)
			doc.End()
		}
	}
	doc.EndList()
	doc.BeginList("recovered_slaves")
	for a := range v.State.RecoveredAgents() {
		if only == "" || only == a.ID {
			doc.Proto("", a.Info())
		}
	}
	doc.EndList()
}

// writeAgentHead writes the members that all documents have of an agent.
func writeAgentHead(ctx context.Context, doc *document.Writer, v *view.Viewer, a *master.Agent) {
	total := v.Resources(ctx, a.Total)
	doc.Str("id", a.ID)
	doc.Str("hostname", a.Hostname)
	doc.Int("port", int64(a.Port))
	legacy.Attributes(doc, a.Attributes)
	if d := a.Info().GetDomain(); d != nil {
		doc.Proto("domain", d)
	}
	doc.Str("pid", a.PID())
	doc.Num("registered_time", view.Seconds(a.RegisteredTime))
	if !a.ReregisteredTime.IsZero() {
		doc.Num("reregistered_time", view.Seconds(a.ReregisteredTime))
	}
	legacy.Resources(doc, "resources", total)
	legacy.Resources(doc, "used_resources", v.Resources(ctx, a.Used()))
	legacy.Resources(doc, "offered_resources", v.Resources(ctx, a.Offered()))
	legacy.ByRole(doc, "reserved_resources", total)
	legacy.Resources(doc, "unreserved_resources", total.Unreserved())
	doc.Bool("active", a.Active)
	doc.Bool("deactivated", false)
	doc.Str("version", a.Version)
	legacy.AgentCapabilities(doc, a.Capabilities)
}

func writeAgentEnd(context.Context, *document.Writer, *view.Viewer, *master.Agent) {}

// writeAgentFull writes the members that only /slaves has.
func writeAgentFull(ctx context.Context, doc *document.Writer, v *view.Viewer, a *master.Agent) {
	total := v.Resources(ctx, a.Total)
	legacy.FullByRole(doc, "reserved_resources_full", total)
	legacy.Full(doc, "unreserved_resources_full", total.Unreserved())
	legacy.Full(doc, "used_resources_full", v.Resources(ctx, a.Used()))
	legacy.Full(doc, "offered_resources_full", v.Resources(ctx, a.Offered()))
}
