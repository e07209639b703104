package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/stream"
	"github.com/mezzo-cluster/mezzo/host/master"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// Path is where the scheduler API is served.
const Path = "/api/v1/scheduler"

// streamHeader names a subscription, in the answer to SUBSCRIBE and in all other calls.
const streamHeader = "Mesos-Stream-Id"

// retryMaster is when to call again a master that has just ceased to lead.
const retryMaster = 2 * time.Second

// Master is what the scheduler API needs of the leading master. It is safe for concurrent use.
type Master interface {
	// State returns the state published last, nil while this master does not lead.
	State() *master.State
	// Enqueue hands an event to the state machine, after those enqueued before it. An error means that the
	// machine will not see it: it has ended, or ctx is done.
	Enqueue(ctx context.Context, event master.Event) error
}

// Config is what an Endpoint needs.
type Config struct {
	Master  Master
	Control *access.Control
	Audit   *access.Auditor
	// Replies passes the machine's replies on.
	Replies *answer.Desk
	// Limit bounds each stream.
	Limit stream.Limit
	Log   *slog.Logger
}

// Endpoint serves the scheduler API. It is safe for concurrent use.
type Endpoint struct {
	Config
	streams *Streams
	turns   *Turns
	refused refusals
}

// New returns an Endpoint.
func New(c Config) *Endpoint {
	e := &Endpoint{Config: c, turns: NewTurns()}
	e.streams = NewStreams(c.Limit, e.closed)
	return e
}

// Streams returns the open event streams, to which the machine's events go.
func (e *Endpoint) Streams() *Streams { return e.streams }

// Counts returns how many calls a framework has made and how many events it was sent.
func (e *Endpoint) Counts(framework string) Counts { return e.streams.sent.get(framework) }

// AddRefused adds the calls that were refused for their shape to the metrics that count what was wrong with them.
func (e *Endpoint) AddRefused(into map[string]float64) { e.refused.addTo(into) }

// Handle answers one call. It is for the leading master only.
func (e *Endpoint) Handle(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	call := &scheduler.Call{}
	if err := endpoint.ReadCall(r, call); err != nil {
		return err
	}
	if err := validate(call); err != nil {
		e.refused.count(call.GetType())
		return err
	}
	if who.Name == "" && !who.IsAnonymous() {
		return endpoint.Errorf(http.StatusForbidden, "The authenticated principal has claims but no value, as schedulers need")
	}
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		return e.subscribe(w, r, who, call)
	}
	return e.call(w, r, who, call)
}

func (e *Endpoint) subscribe(w http.ResponseWriter, r *http.Request, who access.Principal, call *scheduler.Call) error {
	media, err := endpoint.AcceptMedia(r)
	if err != nil {
		return err
	}
	if len(r.Header.Values(streamHeader)) > 0 {
		return endpoint.BadRequest("Subscribe calls should not include the '%s' header", streamHeader)
	}
	info := call.GetSubscribe().GetFrameworkInfo()
	if err := bindPrincipal(who, info); err != nil {
		return err
	}
	id := master.StreamID(uuid.NewString())
	events := e.streams.begin(id)
	if err := e.enqueueSubscribe(r, who, call.GetSubscribe(), id); err != nil {
		e.streams.forget(id)
		return err
	}
	e.forgetCounts()
	w.Header().Set(streamHeader, string(id))
	err = events.Serve(r.Context(), w, media)
	framework := e.streams.end(id)
	if err == nil {
		return nil
	}
	e.Log.Debug("event stream ended", "framework", framework, "stream", id, "error", err)
	if framework != "" {
		e.closed(framework, id)
	}
	// The answer's header is long gone: all that is left is to break the connection off.
	panic(http.ErrAbortHandler)
}

// forgetCounts drops the counts of frameworks that are gone. New ones come by SUBSCRIBE only, so that is when to
// look.
func (e *Endpoint) forgetCounts() {
	if state := e.Master.State(); state != nil {
		e.streams.sent.keep(func(id string) bool { return state.Framework(id) != nil })
	}
}

// bindPrincipal makes sure that a framework's principal is the one that was authenticated.
func bindPrincipal(who access.Principal, info *mesos.FrameworkInfo) error {
	switch {
	case who.Name == "":
	case info.GetPrincipal() == "":
		info.Principal = &who.Name
	default:
		return matchPrincipal(who, info.GetPrincipal())
	}
	return nil
}

func matchPrincipal(who access.Principal, principal string) error {
	if who.Name == "" || who.Name == principal {
		return nil
	}
	return endpoint.BadRequest("Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`",
		who.Name, principal)
}

func (e *Endpoint) enqueueSubscribe(r *http.Request, who access.Principal, sub *scheduler.Call_Subscribe, id master.StreamID) error {
	info := sub.GetFrameworkInfo()
	turn := e.turns.Take(info.GetId().GetValue())
	defer turn.Done()
	denied, revision, err := e.mayRegister(r.Context(), who, info)
	if err != nil {
		return endpoint.AccessError(err)
	}
	e.Audit.Record(r.Context(), access.Entry{
		Principal: who, Address: r.RemoteAddr, Action: scheduler.Call_SUBSCRIBE.String(),
		Object: fmt.Sprintf("framework %q", info.GetName()), Denied: denied, Revision: revision,
	})
	if err := turn.Wait(r.Context()); err != nil {
		return err
	}
	return e.enqueue(r.Context(), master.Subscribe{
		Stream: id, Info: info, Suppressed: sub.GetSuppressedRoles(), Constraints: sub.GetOfferConstraints(),
		Principal: who.Name, Denied: denied,
	})
}

func (e *Endpoint) call(w http.ResponseWriter, r *http.Request, who access.Principal, call *scheduler.Call) error {
	state := e.Master.State()
	if state == nil {
		return endpoint.Unavailable(retryMaster, "This master does not lead any more")
	}
	framework := state.Framework(call.GetFrameworkId().GetValue())
	stream, err := subscribed(r, who, framework, call)
	if err != nil {
		return err
	}
	if call.GetType() == scheduler.Call_UNKNOWN {
		return endpoint.Errorf(http.StatusNotImplemented, "Calls of type UNKNOWN are not implemented")
	}
	e.streams.sent.call(framework.ID, call.GetType())
	// A call that has come whole takes effect, also if its client does not stay for the answer.
	ctx := context.WithoutCancel(r.Context())
	turn := e.turns.Take(framework.ID)
	defer turn.Done()
	denied, revision, err := e.mayCall(ctx, who, state, framework, call)
	if err != nil {
		return endpoint.AccessError(err)
	}
	e.auditCall(r, who, framework, call, denied, revision)
	if err := turn.Wait(ctx); err != nil {
		return err
	}
	event := master.Call{Framework: framework.ID, Stream: stream, Call: call, Principal: who.Name, Denied: denied}
	if call.GetType() == scheduler.Call_UPDATE_FRAMEWORK {
		return e.callAndWait(ctx, w, r, event)
	}
	if err := e.enqueue(ctx, event); err != nil {
		return err
	}
	endpoint.Empty(w, http.StatusAccepted)
	return nil
}

// callAndWait answers 200 once the machine has carried the call out, or what the machine says against it.
func (e *Endpoint) callAndWait(ctx context.Context, w http.ResponseWriter, r *http.Request, event master.Call) error {
	ticket := e.Replies.Take()
	defer ticket.Drop()
	event.Reply = ticket.ID
	if err := e.enqueue(ctx, event); err != nil {
		return err
	}
	if err := ticket.Wait(r.Context()); err != nil {
		return err
	}
	endpoint.Empty(w, http.StatusOK)
	return nil
}

// subscribed checks that a call comes from the framework's present subscription.
func subscribed(r *http.Request, who access.Principal, f *master.Framework, call *scheduler.Call) (master.StreamID, error) {
	if f == nil {
		return "", endpoint.BadRequest("Framework cannot be found")
	}
	if err := matchPrincipal(who, f.Principal); err != nil {
		return "", err
	}
	if !f.Connected {
		return "", endpoint.Errorf(http.StatusForbidden, "Framework is not subscribed")
	}
	given := r.Header.Values(streamHeader)
	if len(given) == 0 {
		return "", endpoint.BadRequest("All non-subscribe calls should include the '%s' header", streamHeader)
	}
	if master.StreamID(given[0]) != f.Stream {
		return "", endpoint.BadRequest("The stream ID '%.128s' included in this request didn't match the stream ID "+
			"currently associated with framework ID %s", given[0], call.GetFrameworkId().GetValue())
	}
	return f.Stream, nil
}

// closed tells the machine that a stream has ended.
func (e *Endpoint) closed(framework string, id master.StreamID) {
	// The client's context is done by now; the machine must hear of it all the same.
	err := e.Master.Enqueue(context.Background(), master.StreamClosed{Framework: framework, Stream: id})
	if err != nil { // the machine has ended, and with it all streams
		e.Log.Debug("master has ended before it could be told of a closed stream", "framework", framework, "error", err)
	}
}

func (e *Endpoint) enqueue(ctx context.Context, event master.Event) error {
	err := e.Master.Enqueue(ctx, event)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return endpoint.Unavailable(retryMaster, "This master does not lead any more: %v", err)
}
