package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/link/linkv1"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/host/registry/raftstore"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// agentPort sends on the connections of agents.
type agentPort struct{ daemon *masterDaemon }

func (p agentPort) Send(conn master.ConnID, msg *linkv1.ToAgent) {
	p.daemon.link.Send(string(conn), msg)
}
func (p agentPort) Close(conn master.ConnID) { p.daemon.link.Close(string(conn)) }

// registryPort commits to the registry.
type registryPort struct{ reign *reign }

func (p registryPort) Commit(id uint64, op registry.Op) {
	r := p.reign
	r.daemon.store.Commit(op, func(err error) {
		switch {
		case err == nil:
			r.loop.Post(master.Committed{ID: id})
		case errors.Is(err, raftstore.ErrNotLeader):
			r.loop.Post(master.LeadershipLost{})
		default:
			// What was agreed upon does not fit the registry: this machine's view of it is wrong.
			r.fail(err)
		}
	})
}

// allocatorPort tells the allocator what happens.
type allocatorPort struct{ reign *reign }

func (p allocatorPort) Update(seq uint64, u allocator.Update) {
	if s := p.reign.driver; s != nil {
		s.Update(seq, u)
	}
}

func (p allocatorPort) Answer(generation uint64, answers []allocator.Answer) {
	if s := p.reign.driver; s != nil {
		s.Answer(generation, answers)
	}
}

// allocatorClient is what the allocator's driver needs of the master.
type allocatorClient struct{ reign *reign }

func (c allocatorClient) Pause(ctx context.Context) error {
	if err := c.reign.loop.Enqueue(ctx, master.AllocatorDown{}); err != nil {
		return err
	}
	return c.reign.loop.Settle(ctx)
}

func (c allocatorClient) Snapshot() allocator.Snapshot {
	return c.reign.loop.State().AllocatorSnapshot()
}

func (c allocatorClient) Ready(ctx context.Context, generation uint64) error {
	return c.reign.loop.Enqueue(ctx, master.AllocatorReady{Generation: generation})
}

func (c allocatorClient) Propose(ctx context.Context, generation uint64, batch []allocator.Allocation) error {
	return c.reign.loop.Enqueue(ctx, master.Allocations{Generation: generation, Batch: batch})
}

// linkHandler hands what agents say to the machine. Waiting for room in its queue slows the agents down.
type linkHandler struct{ reign *reign }

func (h linkHandler) enqueue(e master.Event) {
	// The only errors are that the reign is over.
	_ = h.reign.loop.Enqueue(h.reign.ctx, e)
}

func (h linkHandler) Connected(conn, principal, address string, hello *linkv1.Hello) {
	h.enqueue(master.AgentConnected{Conn: master.ConnID(conn), Principal: principal, Address: address, Hello: hello})
}

func (h linkHandler) Received(conn string, msg *linkv1.ToMaster) {
	h.enqueue(master.AgentMessage{Conn: master.ConnID(conn), Epoch: h.reign.epoch, Msg: msg})
}

func (h linkHandler) Gone(conn string) { h.enqueue(master.AgentGone{Conn: master.ConnID(conn)}) }

// isReady tells whether a plugin answers.
func isReady(p *pluginhost.Plugin) bool { return p.Status().State == supervise.Ready }

// addAllocator adds what is known of the allocator to the metrics.
func (r *reign) addAllocator(into map[string]float64) {
	if r.driver == nil {
		return
	}
	queued := float64(r.driver.Stats().Queued)
	into["allocator/event_queue_dispatches"], into["allocator/mesos/event_queue_dispatches"] = queued, queued
}

// explainAnswer is what /explain answers.
type explainAnswer struct {
	Framework string          `json:"framework"`
	Reasons   []explainReason `json:"reasons"`
}

type explainReason struct {
	Code   string    `json:"code"`
	Text   string    `json:"text"`
	Role   string    `json:"role,omitempty"`
	Agent  string    `json:"agent,omitempty"`
	Agents int       `json:"agents,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// explain asks the allocator why a framework, named by the query's framework, is not offered more.
func (m *masterDaemon) explain(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	reign := m.reign.Load()
	if reign == nil {
		return errNotLeading
	}
	id := r.URL.Query().Get("framework")
	f := reign.loop.State().Framework(id)
	if f == nil {
		return endpoint.Errorf(http.StatusNotFound, "Framework cannot be found")
	}
	if _, err := m.control.Check(r.Context(), who, authorizer.ViewFramework, view.FrameworkObject(f)); err != nil {
		return endpoint.AccessError(err)
	}
	if reign.driver == nil {
		return endpoint.Errorf(http.StatusConflict, "no allocator is configured, so nothing is offered to anybody")
	}
	e, err := reign.driver.Explain(r.Context(), id)
	if err != nil {
		return endpoint.Unavailable(time.Second, "%v", err)
	}
	answer := explainAnswer{Framework: id, Reasons: []explainReason{}}
	for _, x := range e.Reasons {
		answer.Reasons = append(answer.Reasons, explainReason{
			Code: string(x.Code), Text: x.Text, Role: x.Role, Agent: x.Agent, Agents: x.Agents, Until: x.Until,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}
