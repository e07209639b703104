package operator

import (
	"context"
	"iter"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/bulk"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	state "github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// large answers the calls whose answer grows with the cluster.
func (e *Endpoint) large(w http.ResponseWriter, r *http.Request, who access.Principal, call master.Call_Type,
	media endpoint.Media) error {
	v, err := e.viewer(r, who)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var body bulk.Part
	var kind master.Response_Type
	switch call {
	case master.Call_GET_STATE:
		kind, body = master.Response_GET_STATE, bulk.Part{
			Name: "get_state", Parts: []bulk.Part{tasks(ctx, v), executors(), frameworks(ctx, v), agents(ctx, v)},
		}
	case master.Call_GET_TASKS:
		kind, body = master.Response_GET_TASKS, tasks(ctx, v)
	case master.Call_GET_FRAMEWORKS:
		kind, body = master.Response_GET_FRAMEWORKS, frameworks(ctx, v)
	case master.Call_GET_AGENTS:
		kind, body = master.Response_GET_AGENTS, agents(ctx, v)
	case master.Call_GET_EXECUTORS:
		kind, body = master.Response_GET_EXECUTORS, executors()
	}
	w.Header().Set("Content-Type", media.String())
	out, finish := endpoint.Body(w, r)
	err = body.Write(out, media, &master.Response{Type: kind.Enum()})
	if err == nil {
		err = v.Err()
	}
	if err == nil {
		err = finish()
	}
	if err != nil { // part of the answer may have left
		panic(http.ErrAbortHandler)
	}
	return nil
}

func tasks(ctx context.Context, v *view.Viewer) bulk.Part {
	seen := func(all iter.Seq[*state.Task]) iter.Seq[proto.Message] {
		return bulk.Messages(v.Tasks(ctx, all), view.TaskMessage)
	}
	return bulk.Part{Name: "get_tasks", Lists: []bulk.List{
		{Name: "tasks", Each: seen(v.State.Tasks(""))},
		{Name: "completed_tasks", Each: seen(v.State.CompletedTasks(""))},
		{Name: "unreachable_tasks", Each: seen(v.State.UnreachableTasks(""))},
	}}
}

// executors is empty: command tasks have none, and there are no others yet.
func executors() bulk.Part {
	return bulk.Part{Name: "get_executors", Lists: []bulk.List{{Name: "executors", Each: func(func(proto.Message) bool) {}}}}
}

func frameworks(ctx context.Context, v *view.Viewer) bulk.Part {
	usages := v.State.Usages()
	offers := map[string][]*mesos.Offer{}
	for o := range v.State.Offers() {
		if v.Framework(o.Framework) && v.Role(ctx, o.Role) {
			offers[o.Framework] = append(offers[o.Framework], view.OfferMessage(o, v.State.Agent(o.Agent)))
		}
	}
	seen := func(all iter.Seq[*state.Framework]) iter.Seq[proto.Message] {
		return bulk.Messages(v.Frameworks(all), func(f *state.Framework) *master.Response_GetFrameworks_Framework {
			return v.FrameworkMessage(ctx, f, usages[f.ID], offers[f.ID])
		})
	}
	return bulk.Part{Name: "get_frameworks", Lists: []bulk.List{
		{Name: "frameworks", Each: seen(v.State.Frameworks())},
		{Name: "completed_frameworks", Each: seen(v.State.CompletedFrameworks())},
	}}
}

func agents(ctx context.Context, v *view.Viewer) bulk.Part {
	return bulk.Part{Name: "get_agents", Lists: []bulk.List{
		{Name: "agents", Each: bulk.Messages(v.State.Agents(), func(a *state.Agent) *master.Response_GetAgents_Agent {
			return v.AgentMessage(ctx, a)
		})},
		{Name: "recovered_agents", Each: bulk.Messages(v.State.RecoveredAgents(), (*state.RecoveredAgent).Info)},
	}}
}
