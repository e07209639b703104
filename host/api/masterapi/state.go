package masterapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// state answers /state: everything at once.
func (e *Endpoints) state(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	v, err := e.viewer(r, who)
	if err != nil {
		return err
	}
	flags, err := e.About.FlagsVisible(r.Context(), who)
	if err != nil {
		return endpoint.AccessError(err)
	}
	return endpoint.DocumentOrAbort(w, r, func(doc *document.Writer) error {
		doc.Begin("")
		e.writeMaster(doc, v.State)
		if flags {
			e.About.WriteFlags(doc)
		}
		writeAgents(r.Context(), doc, v, "", writeAgentEnd)
		writeFrameworkLists(r.Context(), doc, v, "")
		for _, never := range []string{"orphan_tasks", "unregistered_frameworks"} {
			doc.Strs(never, nil)
		}
		doc.End()
		return v.Err()
	})
}

// writeMaster writes the members about the master itself.
func (e *Endpoints) writeMaster(doc *document.Writer, s *master.State) {
	about.WriteBuild(doc)
	leader := s.Leader()
	doc.Num("start_time", view.Seconds(leader.Started))
	doc.Num("elected_time", view.Seconds(leader.Elected))
	doc.Str("id", leader.ID)
	doc.Str("pid", leader.Info.GetPid())
	doc.Str("hostname", leader.Info.GetHostname())
	doc.BeginList("capabilities")
	for _, c := range leader.Info.GetCapabilities() {
		doc.Str("", c.GetType().String())
	}
	doc.EndList()
	if d := leader.Info.GetDomain(); d != nil {
		doc.Proto("domain", d)
	}
	writeAgentCounts(doc, s)
	if e.Cluster != "" {
		doc.Str("cluster", e.Cluster)
	}
	doc.Str("leader", leader.Info.GetPid())
	doc.Begin("leader_info")
	doc.Str("id", leader.ID)
	doc.Str("pid", leader.Info.GetPid())
	doc.Int("port", int64(leader.Info.GetPort()))
	doc.Str("hostname", leader.Info.GetHostname())
	doc.End()
	doc.Str("log_dir", e.About.LogDir)
}

func writeAgentCounts(doc *document.Writer, s *master.State) {
	var active, inactive, unreachable float64
	for a := range s.Agents() {
		if a.Active {
			active++
		} else {
			inactive++
		}
	}
	for range s.UnreachableAgents() {
		unreachable++
	}
	doc.Num("activated_slaves", active)
	doc.Num("deactivated_slaves", inactive)
	doc.Num("unreachable_slaves", unreachable)
}

// writeSummary writes /state-summary: agents and frameworks with their tasks counted.
func (e *Endpoints) writeSummary(ctx context.Context, doc *document.Writer, v *view.Viewer, _ url.Values) {
	c := countTasks(ctx, v)
	doc.Begin("")
	doc.Str("hostname", v.State.Leader().Info.GetHostname())
	if e.Cluster != "" {
		doc.Str("cluster", e.Cluster)
	}
	doc.BeginList("slaves")
	for a := range v.State.Agents() {
		doc.Begin("")
		writeAgentHead(ctx, doc, v, a)
		c.agents[a.ID].write(doc)
		doc.Strs("framework_ids", c.agents[a.ID].partners())
		doc.End()
	}
	doc.EndList()
	usages := v.State.Usages()
	doc.BeginList("frameworks")
	for f := range v.Frameworks(v.State.Frameworks()) {
		doc.Begin("")
		writeFrameworkHead(ctx, doc, v, f, usages[f.ID])
		c.frameworks[f.ID].write(doc)
		doc.Strs("slave_ids", c.frameworks[f.ID].partners())
		doc.End()
	}
	doc.EndList()
	doc.End()
}
