package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// What each task asks for: cpus, and MB of memory.
const (
	taskCPUs = 0.1
	taskMem  = 32
)

// commands are what the tasks run, in turn.
var commands = []string{
	`echo "hello from $MESOS_TASK_ID in $MESOS_SANDBOX"`,
	`head -c 1048576 /dev/urandom > data && wc -c data`,
	`for i in 1 2 3; do echo "step $i"; sleep 0.1; done`,
	`trap 'echo interrupted' TERM; sleep 0.5; echo slept`,
	`env | sort; exit 0`,
}

// framework is the scheduler's state.
type framework struct {
	conn    *connection
	id      *mesos.FrameworkID
	tasks   []*task
	byID    map[string]*task
	pending int // tasks not launched yet
	running int // launched and not ended
}

// task is one task and its way so far.
type task struct {
	id, command string
	agent       string
	launched    time.Time
	steps       []step
	message     string
}

type step struct {
	state mesos.TaskState
	after time.Duration
}

func newFramework(c *connection, tasks int) *framework {
	f := &framework{conn: c, byID: map[string]*task{}, pending: tasks}
	for i := range tasks {
		t := &task{id: fmt.Sprintf("task-%d", i+1), command: commands[i%len(commands)]}
		f.tasks = append(f.tasks, t)
		f.byID[t.id] = t
	}
	return f
}

// run subscribes and handles events until every task has ended, and removes the framework. It returns an error if
// a task has ended otherwise than in TASK_FINISHED.
func (f *framework) run(ctx context.Context) error {
	user, name := "root", "five-tasks"
	stream, err := f.conn.subscribe(ctx, &scheduler.Call{
		Type:      scheduler.Call_SUBSCRIBE.Enum(),
		Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &mesos.FrameworkInfo{User: &user, Name: &name}},
	})
	if err != nil {
		return err
	}
	defer stream.body.Close()
	for f.pending+f.running > 0 {
		event, err := stream.next()
		if err != nil {
			return err
		}
		if err := f.handle(ctx, event); err != nil {
			return err
		}
	}
	if err := f.conn.send(ctx, &scheduler.Call{FrameworkId: f.id, Type: scheduler.Call_TEARDOWN.Enum()}); err != nil {
		return err
	}
	return f.failures()
}

func (f *framework) handle(ctx context.Context, e *scheduler.Event) error {
	switch e.GetType() {
	case scheduler.Event_SUBSCRIBED:
		f.id = e.GetSubscribed().GetFrameworkId()
		fmt.Printf("subscribed as framework %s\n", f.id.GetValue())
	case scheduler.Event_OFFERS:
		for _, offer := range e.GetOffers().GetOffers() {
			if err := f.offered(ctx, offer); err != nil {
				return err
			}
		}
	case scheduler.Event_UPDATE:
		return f.updated(ctx, e.GetUpdate().GetStatus())
	case scheduler.Event_ERROR:
		return errors.New("the master ended the subscription: " + e.GetError().GetMessage())
	}
	return nil
}

// offered launches as many tasks as the offer holds; an ACCEPT without tasks is a decline.
func (f *framework) offered(ctx context.Context, offer *mesos.Offer) error {
	cpus, mem := amount(offer, "cpus"), amount(offer, "mem")
	var launch []*mesos.TaskInfo
	for f.pending > 0 && cpus >= taskCPUs && mem >= taskMem {
		t := f.tasks[len(f.tasks)-f.pending]
		t.launched, t.agent = time.Now(), offer.GetHostname()
		launch = append(launch, t.info(offer))
		f.pending, f.running = f.pending-1, f.running+1
		cpus, mem = cpus-taskCPUs, mem-taskMem
	}
	refuse := time.Hour.Seconds() // whatever is left is of no use to us
	if f.pending > 0 {
		refuse = 1
	}
	return f.conn.send(ctx, &scheduler.Call{
		FrameworkId: f.id, Type: scheduler.Call_ACCEPT.Enum(),
		Accept: &scheduler.Call_Accept{
			OfferIds: []*mesos.OfferID{offer.GetId()},
			Operations: []*mesos.Offer_Operation{{
				Type:   mesos.Offer_Operation_LAUNCH.Enum(),
				Launch: &mesos.Offer_Operation_Launch{TaskInfos: launch},
			}},
			Filters: &mesos.Filters{RefuseSeconds: &refuse},
		},
	})
}

// updated records the new state of a task and acknowledges the update if it wants to be.
func (f *framework) updated(ctx context.Context, status *mesos.TaskStatus) error {
	if t := f.byID[status.GetTaskId().GetValue()]; t != nil {
		t.steps = append(t.steps, step{status.GetState(), time.Since(t.launched)})
		if ended(status.GetState()) {
			t.message = status.GetMessage()
			f.running--
		}
	}
	if len(status.GetUuid()) == 0 {
		return nil
	}
	return f.conn.send(ctx, &scheduler.Call{
		FrameworkId: f.id, Type: scheduler.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &scheduler.Call_Acknowledge{AgentId: status.AgentId, TaskId: status.TaskId, Uuid: status.Uuid},
	})
}

func (f *framework) failures() error {
	var errs []error
	for _, t := range f.tasks {
		if last := t.steps[len(t.steps)-1].state; last != mesos.TaskState_TASK_FINISHED {
			errs = append(errs, fmt.Errorf("%s ended in %s: %s", t.id, last, t.message))
		}
	}
	return errors.Join(errs...)
}

// table shows every task's way, each state with the time since the launch.
func (f *framework) table(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprintln(tw, "TASK\tAGENT\tWAY\tMESSAGE")
	for _, t := range f.tasks {
		way := "not launched"
		for i, s := range t.steps {
			if i == 0 {
				way = ""
			} else {
				way += " → "
			}
			way += fmt.Sprintf("%s %d ms", s.state, s.after.Milliseconds())
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.id, t.agent, way, t.message)
	}
}

func (t *task) info(offer *mesos.Offer) *mesos.TaskInfo {
	name := "MESOS_TASK_ID"
	return &mesos.TaskInfo{
		Name: &t.id, TaskId: &mesos.TaskID{Value: &t.id}, AgentId: offer.AgentId,
		Resources: []*mesos.Resource{scalar("cpus", taskCPUs), scalar("mem", taskMem)},
		Command: &mesos.CommandInfo{
			Value:       &t.command,
			Environment: &mesos.Environment{Variables: []*mesos.Environment_Variable{{Name: &name, Value: &t.id}}},
		},
	}
}

func scalar(name string, value float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &value}}
}

func amount(offer *mesos.Offer, name string) float64 {
	var sum float64
	for _, r := range offer.GetResources() {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}

func ended(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_KILLING:
		return false
	}
	return true
}
