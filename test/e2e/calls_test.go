//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func (f *framework) acknowledge(s *mesos.TaskStatus) error {
	return f.send(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: s.GetAgentId(), TaskId: s.GetTaskId(), Uuid: s.GetUuid(),
	}})
}

// kill asks for a task's end. A negative grace means the default.
func (f *framework) kill(id string, grace time.Duration) {
	f.t.Helper()
	kill := &scheduler.Call_Kill{TaskId: &mesos.TaskID{Value: &id}}
	if grace >= 0 {
		kill.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: proto.Int64(int64(grace))}}
	}
	f.mustSend(&scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: kill})
}

func (f *framework) teardown() {
	f.t.Helper()
	f.mustSend(&scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()})
}

func (f *framework) revive() {
	f.t.Helper()
	f.mustSend(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()})
}

func (f *framework) suppress() {
	f.t.Helper()
	f.mustSend(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum()})
}

func (f *framework) reconcile() {
	f.t.Helper()
	f.mustSend(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{}})
}

// decline returns an offer, which is not made again for a while.
func (f *framework) decline(o *mesos.Offer, refuse time.Duration) {
	f.t.Helper()
	f.mustSend(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
		OfferIds: []*mesos.OfferID{o.GetId()}, Filters: &mesos.Filters{RefuseSeconds: proto.Float64(refuse.Seconds())},
	}})
}

// stepAside leaves all offers to other frameworks.
func (f *framework) stepAside() {
	f.t.Helper()
	f.suppress()
	f.mu.Lock()
	f.aside = true
	f.mu.Unlock()
	f.declineAll()
}

// declineAll returns the offers that there are, which are free at once.
func (f *framework) declineAll() {
	f.mu.Lock()
	all := &scheduler.Call_Decline{Filters: &mesos.Filters{RefuseSeconds: proto.Float64(0)}}
	for _, o := range f.offers {
		all.OfferIds = append(all.OfferIds, o.GetId())
	}
	f.offers = nil
	f.mu.Unlock()
	if len(all.OfferIds) > 0 {
		if err := f.send(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: all}); err != nil {
			f.t.Errorf("decline: %v", err)
		}
	}
}

// offer waits for a good offer, and takes it off the list. The match may be nil.
func (f *framework) offer(match func(*mesos.Offer) bool) *mesos.Offer {
	f.t.Helper()
	var found *mesos.Offer
	eventually(f.t, "an offer comes", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, o := range f.offers {
			if match == nil || match(o) {
				found = o
				f.drop(o.GetId().GetValue())
				return nil
			}
		}
		return fmt.Errorf("%d offers, none that fits; the stream: %v", len(f.offers), f.closed)
	})
	return found
}

// wholeOffer waits for an offer of that many cpus, returning parts so that they come together.
func (f *framework) wholeOffer(cpus float64) *mesos.Offer {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("an offer of %g cpus comes", cpus), func() error {
		f.mu.Lock()
		n, first := len(f.offers), 0.0
		if n > 0 {
			first = amount(f.offers[0], "cpus")
		}
		f.mu.Unlock()
		if n == 1 && first == cpus {
			return nil
		}
		f.declineAll()
		return fmt.Errorf("%d offers, the first of %g", n, first)
	})
	return f.offer(nil)
}

// accept launches tasks on an offer, whose remainder is offered again at once.
func (f *framework) accept(o *mesos.Offer, tasks ...*mesos.TaskInfo) error {
	for _, t := range tasks {
		t.AgentId = o.GetAgentId()
	}
	return f.send(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{o.GetId()},
		Operations: []*mesos.Offer_Operation{{
			Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks},
		}},
		Filters: &mesos.Filters{RefuseSeconds: proto.Float64(0)},
	}})
}

// launch launches tasks on the next offer.
func (f *framework) launch(tasks ...*mesos.TaskInfo) {
	f.t.Helper()
	if err := f.accept(f.offer(nil), tasks...); err != nil {
		f.t.Fatal(err)
	}
}

// run launches tasks and waits until all run.
func (f *framework) run(tasks ...*mesos.TaskInfo) {
	f.t.Helper()
	f.launch(tasks...)
	for _, t := range tasks {
		f.await(t.GetTaskId().GetValue(), mesos.TaskState_TASK_RUNNING)
	}
}

// history is the statuses of a task, in the order in which they came.
func (f *framework) history(task string) []*mesos.TaskStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.updates[task])
}

// await waits until a task has had a state, and returns the first status with it.
func (f *framework) await(task string, state mesos.TaskState) *mesos.TaskStatus {
	f.t.Helper()
	return f.awaitStatus(task, state.String(), func(s *mesos.TaskStatus) bool { return s.GetState() == state })
}

func (f *framework) awaitStatus(task, what string, match func(*mesos.TaskStatus) bool) *mesos.TaskStatus {
	f.t.Helper()
	var found *mesos.TaskStatus
	eventually(f.t, "task "+task+": "+what, func() error {
		h := f.history(task)
		if i := slices.IndexFunc(h, match); i >= 0 {
			found = h[i]
			return nil
		}
		return fmt.Errorf("so far %s", way(h))
	})
	return found
}

// end waits for a task's last status, and checks its way from the first: "STARTING RUNNING FINISHED".
func (f *framework) end(task, want string) *mesos.TaskStatus {
	f.t.Helper()
	last := f.awaitStatus(task, "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
	if got := way(f.history(task)); got != want {
		f.t.Fatalf("task %s went %s, want %s; the last status: %v", task, got, want, last)
	}
	return last
}

// way writes the states of statuses, one that is repeated once.
func way(history []*mesos.TaskStatus) string {
	var states []string
	for _, s := range history {
		states = append(states, strings.TrimPrefix(s.GetState().String(), "TASK_"))
	}
	return strings.Join(slices.Compact(states), " ")
}

func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING,
		mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_UNREACHABLE, mesos.TaskState_TASK_UNKNOWN:
		return false
	}
	return true
}

// awaitEvent waits for an event of the present subscription.
func (f *framework) awaitEvent(what string, match func(*scheduler.Event) bool) *scheduler.Event {
	f.t.Helper()
	var found *scheduler.Event
	eventually(f.t, what, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if i := slices.IndexFunc(f.events, match); i >= 0 {
			found = f.events[i]
			return nil
		}
		return fmt.Errorf("not among %d events; the stream: %v", len(f.events), f.closed)
	})
	return found
}

// awaitClosed waits until the master has closed the stream.
func (f *framework) awaitClosed() {
	f.t.Helper()
	eventually(f.t, "the event stream is closed", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.closed == nil {
			return fmt.Errorf("it is open")
		}
		return nil
	})
}

// resubscribe subscribes again with the same id, as often as needed.
func (f *framework) resubscribe() {
	f.t.Helper()
	eventually(f.t, "the framework subscribes again", f.subscribe)
}

// A change of a task before it is launched.
type change func(*mesos.TaskInfo)

// shell is a task that runs a line by the shell. It has 0.1 cpus and 32 MB.
func shell(id, line string, changes ...change) *mesos.TaskInfo {
	return build(id, &mesos.CommandInfo{Value: &line}, changes)
}

// program is a task that runs a program without a shell.
func program(id string, argv []string, changes ...change) *mesos.TaskInfo {
	return build(id, &mesos.CommandInfo{Shell: proto.Bool(false), Value: &argv[0], Arguments: argv}, changes)
}

func build(id string, c *mesos.CommandInfo, changes []change) *mesos.TaskInfo {
	t := &mesos.TaskInfo{
		Name: proto.String("name of " + id), TaskId: &mesos.TaskID{Value: &id}, Command: c,
		Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
	}
	for _, c := range changes {
		c(t)
	}
	return t
}

func scalar(name string, v float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
}

// amount is how much of a scalar an offer holds.
func amount(o *mesos.Offer, name string) float64 {
	var sum float64
	for _, r := range o.GetResources() {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}

func resources(r ...*mesos.Resource) change {
	return func(t *mesos.TaskInfo) { t.Resources = r }
}

func user(name string) change {
	return func(t *mesos.TaskInfo) { t.Command.User = &name }
}

func fetching(uris ...*mesos.CommandInfo_URI) change {
	return func(t *mesos.TaskInfo) { t.Command.Uris = uris }
}

// sleeper is a task that runs for as long as it is let.
func sleeper(id string) *mesos.TaskInfo { return program(id, []string{"/bin/sleep", "100000"}) }
