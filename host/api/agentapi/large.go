package agentapi

import (
	"context"
	"iter"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	state "github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/api/bulk"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
)

// large answers the calls whose answer grows with what runs here.
func (e *Endpoints) large(w http.ResponseWriter, r *http.Request, who access.Principal, call agent.Call_Type,
	media endpoint.Media) error {
	s, err := e.present()
	if err != nil {
		return err
	}
	v, err := e.viewer(r.Context(), who, s)
	if err != nil {
		return endpoint.AccessError(err)
	}
	ctx := r.Context()
	var body bulk.Part
	var kind agent.Response_Type
	switch call {
	case agent.Call_GET_STATE:
		kind, body = agent.Response_GET_STATE, bulk.Part{
			Name: "get_state", Parts: []bulk.Part{v.taskPart(ctx), v.executorPart(ctx), v.frameworkPart(ctx)},
		}
	case agent.Call_GET_TASKS:
		kind, body = agent.Response_GET_TASKS, v.taskPart(ctx)
	case agent.Call_GET_EXECUTORS:
		kind, body = agent.Response_GET_EXECUTORS, v.executorPart(ctx)
	case agent.Call_GET_FRAMEWORKS:
		kind, body = agent.Response_GET_FRAMEWORKS, v.frameworkPart(ctx)
	}
	w.Header().Set("Content-Type", media.String())
	out, finish := endpoint.Body(w, r)
	err = body.Write(out, media, &agent.Response{Type: kind.Enum()})
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

// each yields every executor that may be seen, those that have ended last.
func (v *viewer) each(ctx context.Context, yield func(f *framework, x *state.Executor, completed bool) bool) {
	of := func(one *state.Framework) bool {
		f := v.framework(ctx, one)
		if f == nil {
			return true
		}
		for x := range f.Executors() {
			if v.executor(ctx, f, x) && !yield(f, x, false) {
				return false
			}
		}
		for _, x := range f.Completed {
			if v.executor(ctx, f, x) && !yield(f, x, true) {
				return false
			}
		}
		return true
	}
	for f := range v.state.Frameworks() {
		if !of(f) {
			return
		}
	}
	for _, f := range v.state.CompletedFrameworks() {
		if !of(f) {
			return
		}
	}
}

func (v *viewer) taskPart(ctx context.Context) bulk.Part {
	list := func(name string, pick func(*state.Executor) []*state.Task) bulk.List {
		var all iter.Seq[proto.Message] = func(yield func(proto.Message) bool) {
			v.each(ctx, func(f *framework, x *state.Executor, _ bool) bool {
				for _, t := range v.tasks(ctx, f, pick(x)) {
					if !yield(t.Task) {
						return false
					}
				}
				return true
			})
		}
		return bulk.List{Name: bulk.Name(name), Each: all}
	}
	return bulk.Part{Name: "get_tasks", Lists: []bulk.List{
		list("pending_tasks", func(*state.Executor) []*state.Task { return nil }),
		list("queued_tasks", func(x *state.Executor) []*state.Task { return x.Queued }),
		list("launched_tasks", func(x *state.Executor) []*state.Task { return x.Tasks }),
		list("terminated_tasks", func(x *state.Executor) []*state.Task { return x.Terminated }),
		list("completed_tasks", func(x *state.Executor) []*state.Task { return x.Completed }),
	}}
}

func (v *viewer) executorPart(ctx context.Context) bulk.Part {
	list := func(name string, completed bool) bulk.List {
		return bulk.List{Name: bulk.Name(name), Each: func(yield func(proto.Message) bool) {
			v.each(ctx, func(_ *framework, x *state.Executor, ended bool) bool {
				return ended != completed || yield(&agent.Response_GetExecutors_Executor{ExecutorInfo: x.Message()})
			})
		}}
	}
	return bulk.Part{Name: "get_executors", Lists: []bulk.List{list("executors", false), list("completed_executors", true)}}
}

func (v *viewer) frameworkPart(ctx context.Context) bulk.Part {
	one := func(f *state.Framework, yield func(proto.Message) bool) bool {
		seen := v.framework(ctx, f)
		return seen == nil || yield(&agent.Response_GetFrameworks_Framework{FrameworkInfo: seen.info})
	}
	return bulk.Part{Name: "get_frameworks", Lists: []bulk.List{
		{Name: "frameworks", Each: func(yield func(proto.Message) bool) {
			for f := range v.state.Frameworks() {
				if !one(f, yield) {
					return
				}
			}
		}},
		{Name: "completed_frameworks", Each: func(yield func(proto.Message) bool) {
			for _, f := range v.state.CompletedFrameworks() {
				if !one(f, yield) {
					return
				}
			}
		}},
	}}
}
