package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

const (
	// failover is how long a framework of Run outlives its connection, so that a master may be restarted. Should
	// this process die, its task is killed after that.
	failover = 30 * time.Second
	// refuse is for how long offers that do not fit are declined, in seconds.
	refuse = 5.0
	// killTime is how long Run waits, beyond a task's own grace, for a task to end that it has asked to.
	killTime = 30 * time.Second
	// resubscribePause is between attempts to reach a master that has gone.
	resubscribePause = 500 * time.Millisecond
	// reconcilePause is after how long without a word of a task that was launched the master is asked of it.
	reconcilePause = 5 * time.Second
	// unknownTimes is how often a master may say that it knows neither the task nor the agent, which may be about to
	// come back, before the task counts as lost.
	unknownTimes = 6
)

// Job is one task to run, as a framework of its own.
type Job struct {
	// Framework describes the framework: name, user, role. Its failover_timeout is set where it has none.
	Framework *mesos.FrameworkInfo
	// Task is what to run. The agent is filled in; its resources must be scalars and unreserved.
	Task *mesos.TaskInfo
	// Update is called with each status update, in order; it may be nil.
	Update func(*mesos.TaskStatus)
	// Waiting is called from time to time while no offer fits, with the number of offers that did not; it may be
	// nil.
	Waiting func(since time.Duration, refused int)
}

// ErrKilled says that a task was killed because the caller's context was done.
var ErrKilled = errors.New("the task was killed")

// Run runs one task to its end and returns its last status. When ctx is done it kills the task, waits for its end,
// and returns the status with ErrKilled. A master that goes away is waited for.
func (c *Client) Run(ctx context.Context, job Job) (*mesos.TaskStatus, error) {
	r := &runner{client: c, job: job, info: proto.CloneOf(job.Framework), began: time.Now()}
	if r.info.FailoverTimeout == nil {
		r.info.FailoverTimeout = proto.Float64(failover.Seconds())
	}
	// What is left to do when ctx is done, killing and saying farewell, must still be possible.
	rest, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	status, err := r.run(ctx, rest)
	r.farewell(rest)
	if err == nil && ctx.Err() != nil && status.GetState() != mesos.TaskState_TASK_FINISHED {
		err = ErrKilled
	}
	return status, err
}

// runner is a Job under way.
type runner struct {
	client   *Client
	job      Job
	info     *mesos.FrameworkInfo
	sched    *Scheduler
	began    time.Time
	refused  int
	launched bool
	agent    *mesos.AgentID // that the task was launched on
	heard    bool           // how the task is, on the present stream
	unknown  int            // times that nobody knew it
}

// run subscribes, again if need be, until the task has ended. After ctx is done, calls are made under rest.
func (r *runner) run(ctx, rest context.Context) (*mesos.TaskStatus, error) {
	for {
		sched, err := r.subscribe(ctx, rest)
		if err != nil {
			return nil, err
		}
		r.sched = sched
		status, err := r.follow(ctx, rest)
		if err == nil || !errors.Is(err, ErrStreamEnded) {
			return status, err
		}
		sched.Close()
	}
}

// subscribe subscribes. Once the framework has an id, a master that does not answer is waited for.
func (r *runner) subscribe(ctx, rest context.Context) (*Scheduler, error) {
	limit := time.Now().Add(failover)
	for {
		// The stream lives as long as rest: it brings the task's end after ctx is done.
		sched, err := r.client.Subscribe(rest, r.info)
		if err == nil {
			r.info.Id = sched.Framework()
			return sched, nil
		}
		var refused *RefusedError
		if ctx.Err() != nil && !r.launched {
			return nil, ctx.Err()
		}
		if r.info.Id == nil || errors.As(err, &refused) || time.Now().After(limit) {
			return nil, err
		}
		select {
		case <-time.After(resubscribePause):
		case <-rest.Done():
			return nil, rest.Err()
		}
	}
}

// received is an event, or why there are no more.
type received struct {
	event *scheduler.Event
	err   error
}

// follow deals with events until the task has ended or the stream has.
func (r *runner) follow(ctx, rest context.Context) (*mesos.TaskStatus, error) {
	events := make(chan received)
	stop := make(chan struct{})
	defer close(stop)
	go receive(rest, r.sched, events, stop)
	r.heard = false
	if r.launched {
		if err := r.reconcile(rest); err != nil {
			return nil, err
		}
	}
	done, limit := ctx.Done(), (<-chan time.Time)(nil)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ask := time.NewTicker(reconcilePause)
	defer ask.Stop()
	for {
		select {
		case <-ask.C:
			// A launch may be lost on its way, and the master cannot say so before the agent is back.
			if r.launched && !r.heard {
				if err := r.reconcile(rest); errors.Is(err, ErrStreamEnded) {
					return nil, err
				}
			}
		case <-done:
			if !r.launched {
				return nil, ctx.Err()
			}
			if err := r.kill(rest); err != nil {
				return nil, err
			}
			done, limit = nil, time.After(killTime+r.grace())
		case <-limit:
			return nil, fmt.Errorf("the task did not end within %s of being killed; see `mezzo ps`", killTime+r.grace())
		case <-tick.C:
			if !r.launched && r.job.Waiting != nil {
				r.job.Waiting(time.Since(r.began), r.refused)
			}
		case e := <-events:
			if e.err != nil {
				return nil, e.err
			}
			if status, err := r.event(ctx, rest, e.event); status != nil || err != nil {
				return status, err
			}
		}
	}
}

// receive passes events on until there are no more or stop is closed.
func receive(ctx context.Context, s *Scheduler, events chan<- received, stop <-chan struct{}) {
	for {
		event, err := s.Next(ctx)
		select {
		case events <- received{event, err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// event deals with one event. It returns the task's status if that is its last.
func (r *runner) event(ctx, rest context.Context, e *scheduler.Event) (*mesos.TaskStatus, error) {
	switch e.GetType() {
	case scheduler.Event_OFFERS:
		return nil, r.offers(ctx, rest, e.GetOffers().GetOffers())
	case scheduler.Event_UPDATE:
		return r.update(rest, e.GetUpdate().GetStatus())
	}
	return nil, nil
}

func (r *runner) update(ctx context.Context, status *mesos.TaskStatus) (*mesos.TaskStatus, error) {
	if err := r.sched.Acknowledge(ctx, status); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStreamEnded, err)
	}
	if status.GetTaskId().GetValue() != r.job.Task.GetTaskId().GetValue() {
		return nil, nil
	}
	if r.job.Update != nil {
		r.job.Update(status)
	}
	if status.GetState() == mesos.TaskState_TASK_UNKNOWN {
		r.unknown++
	} else {
		r.heard, r.unknown = true, 0
	}
	if IsTerminal(status.GetState()) || r.unknown == unknownTimes {
		return status, nil
	}
	return nil, nil
}

// offers launches the task with the first offer that it fits, and declines the others.
func (r *runner) offers(ctx, rest context.Context, offers []*mesos.Offer) error {
	var declined []*mesos.OfferID
	for _, o := range offers {
		if r.launched || ctx.Err() != nil || !fits(r.job.Task.GetResources(), o.GetResources()) {
			declined = append(declined, o.GetId())
			continue
		}
		if err := r.launch(rest, o); err != nil {
			return err
		}
	}
	if len(declined) == 0 {
		return nil
	}
	if !r.launched {
		r.refused += len(declined)
	}
	seconds := refuse
	if r.launched {
		seconds = 3600
	}
	return r.call(rest, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
		OfferIds: declined, Filters: &mesos.Filters{RefuseSeconds: &seconds},
	}})
}

// launch accepts an offer with the task. It counts as launched before it is known to be: should the connection
// break now, the master is asked what has become of it.
func (r *runner) launch(ctx context.Context, o *mesos.Offer) error {
	task := proto.CloneOf(r.job.Task)
	task.AgentId = o.GetAgentId()
	r.launched, r.agent = true, o.GetAgentId()
	if err := r.call(ctx, &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{o.GetId()}, Filters: &mesos.Filters{RefuseSeconds: proto.Float64(3600)},
		Operations: []*mesos.Offer_Operation{{
			Type:   mesos.Offer_Operation_LAUNCH.Enum(),
			Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{task}},
		}},
	}}); err != nil {
		return err
	}
	return r.call(ctx, &scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum()})
}

func (r *runner) kill(ctx context.Context) error {
	return r.call(ctx, &scheduler.Call{
		Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: r.job.Task.GetTaskId(), AgentId: r.agent},
	})
}

// reconcile asks what has become of the task while the master was not heard.
func (r *runner) reconcile(ctx context.Context) error {
	return r.call(ctx, &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{
		Tasks: []*scheduler.Call_Reconcile_Task{{TaskId: r.job.Task.GetTaskId(), AgentId: r.agent}},
	}})
}

// call makes a call. A master that has gone, or does not know the subscription any more, is to be subscribed to anew.
func (r *runner) call(ctx context.Context, call *scheduler.Call) error {
	err := r.sched.Call(ctx, call)
	var gone *UnreachableError
	var status *StatusError
	if errors.As(err, &gone) || errors.As(err, &status) && (status.Status == 403 || status.Status == 400) {
		return fmt.Errorf("%w: %w", ErrStreamEnded, err)
	}
	return err
}

// farewell removes the framework, so that nothing of it stays behind.
func (r *runner) farewell(ctx context.Context) {
	if r.sched == nil {
		return
	}
	defer r.sched.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// Should it not be heard, failover_timeout does the same later.
	_ = r.sched.Call(ctx, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
}

// grace is how long the task may take to end once it is killed.
func (r *runner) grace() time.Duration {
	return time.Duration(r.job.Task.GetKillPolicy().GetGracePeriod().GetNanoseconds())
}
