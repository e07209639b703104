//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

func mapText[V any](m map[string]V) string { return fmt.Sprint(m) }

func failoverTimeout(d time.Duration) option {
	return with(func(i *mesos.FrameworkInfo) { i.FailoverTimeout = proto.Float64(d.Seconds()) })
}

// The second subscription with an id wins, and the first is told.
func TestFrameworkFailsOver(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	first := subscribe(t, c)
	first.run(sleeper("stays"))
	stay := processesOf(t, first.await("stays", mesos.TaskState_TASK_RUNNING))
	second := newFramework(t, c, speaking(inProtobuf))
	second.id = first.id
	second.mustSubscribe()
	e := first.awaitEvent("the first is told", func(e *scheduler.Event) bool { return e.GetType() == scheduler.Event_ERROR })
	if e.GetError().GetMessage() != "Framework failed over" {
		t.Errorf("it is told %q", e.GetError().GetMessage())
	}
	first.awaitClosed()
	var refused *refusalError
	if err := first.send(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}); !errors.As(err, &refused) || refused.status != http.StatusBadRequest {
		t.Errorf("a call of the first: %v", err)
	}
	if second.id.GetValue() != first.id.GetValue() {
		t.Errorf("the ids are %s and %s", first.id, second.id)
	}
	allSame(t, stay)
	second.launch(shell("more", "exit 0"))
	second.end("more", "STARTING RUNNING FINISHED")
	second.kill("stays", -1)
	second.await("stays", mesos.TaskState_TASK_KILLED)
}

// A framework that comes back in time has lost nothing: what happened meanwhile is told.
func TestFrameworkComesBack(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f, g := subscribe(t, c), newGate(t)
	f.run(sleeper("stays"), shell("ends", g.wait()+"exit 5"))
	ends := initOf(t, f.await("ends", mesos.TaskState_TASK_RUNNING))
	f.disconnect()
	c.awaitFramework(f, func(x listedFramework) bool { return !x.Connected })
	g.open(t)
	gone(t, []int{ends.PID})
	f.resubscribe()
	back := time.Now()
	f.end("ends", "STARTING RUNNING FAILED")
	checkResumed(t, back)
	f.kill("stays", -1)
	f.end("stays", "STARTING RUNNING KILLED")
}

// A framework that comes back with another description has it, but for its user and its checkpoints, and its agents know.
func TestFrameworkComesBackAnother(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	f.info.User, f.info.Checkpoint, f.info.Name = proto.String("nobody"), proto.Bool(false), proto.String("another name")
	f.resubscribe()
	for _, address := range []string{c.address, c.agents[0].address} {
		eventually(t, "the framework is another on "+address, func() error {
			var doc struct {
				Frameworks []struct {
					Name, User string
					Checkpoint bool
				}
			}
			if err := getJSON(address, "/state", &doc); err != nil || len(doc.Frameworks) != 1 {
				return fmt.Errorf("%v %w", doc, err)
			}
			if x := doc.Frameworks[0]; x.Name != "another name" || x.User != "root" || !x.Checkpoint {
				return fmt.Errorf("it is %+v", x)
			}
			return nil
		})
	}
	// A KILL that names another agent than the task's is not heeded.
	f.mustSend(&scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{
		TaskId: &mesos.TaskID{Value: proto.String("stays")}, AgentId: &mesos.AgentID{Value: proto.String("another")},
	}})
	meanwhile(t, time.Second, "the task runs on", func() error {
		if s := f.latest("stays"); s.GetState() != mesos.TaskState_TASK_RUNNING {
			return errNotYet(s.GetState().String())
		}
		return nil
	})
	f.kill("stays", 0)
	f.await("stays", mesos.TaskState_TASK_KILLED)
}

// checkResumed checks that what was missed since then was told before its time to be repeated had come.
func checkResumed(t *testing.T, since time.Time) {
	t.Helper()
	if d := time.Since(since); d > 8*time.Second {
		t.Errorf("what was missed was told after %v, when it was repeated anyway", d)
	}
}

// listedFramework is what of /frameworks the tests look at.
type listedFramework struct {
	ID        string `json:"id"`
	Active    bool   `json:"active"`
	Connected bool   `json:"connected"`
	Completed bool   `json:"-"`
}

// awaitFramework waits until the master says something of a framework.
func (c *cluster) awaitFramework(f *framework, match func(listedFramework) bool) {
	c.t.Helper()
	eventually(c.t, "the framework's state", func() error {
		var list struct {
			Frameworks []listedFramework `json:"frameworks"`
			Completed  []listedFramework `json:"completed_frameworks"`
		}
		if err := c.get("/frameworks", &list); err != nil {
			return err
		}
		for i := range list.Completed {
			list.Completed[i].Completed = true
		}
		for _, x := range append(list.Frameworks, list.Completed...) {
			if x.ID == f.id.GetValue() && match(x) {
				return nil
			}
		}
		return fmt.Errorf("it is %+v", list)
	})
}

// A framework that is away for longer than it said is removed, and its tasks with it.
func TestFrameworkStaysAway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c, failoverTimeout(300*time.Millisecond))
	f.run(sleeper("goes"))
	pids := pidsOf(processesOf(t, f.await("goes", mesos.TaskState_TASK_RUNNING)))
	f.disconnect()
	gone(t, pids)
	c.awaitFramework(f, func(x listedFramework) bool { return x.Completed })
	checkRemoved(t, f)
	// One that says nothing is removed at once.
	f = subscribe(t, c, with(func(i *mesos.FrameworkInfo) { i.FailoverTimeout = nil }))
	f.disconnect()
	c.awaitFramework(f, func(x listedFramework) bool { return x.Completed })
}

func pidsOf(processes []leak.Process) []int {
	var pids []int
	for _, p := range processes {
		pids = append(pids, p.PID)
	}
	return pids
}

// checkRemoved tries to subscribe with the id of a framework that was removed.
func checkRemoved(t *testing.T, f *framework) {
	t.Helper()
	err := f.subscribe()
	if err == nil || err.Error() != "the first event is ERROR: Framework has been removed" {
		t.Errorf("SUBSCRIBE of a removed framework: %v", err)
	}
}

func TestTeardown(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f, other := subscribe(t, c), subscribe(t, c)
	o := f.offer(nil)
	if err := f.accept(o, sleeper("goes"), stubborn("goes-too")); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, id := range []string{"goes", "goes-too"} {
		pids = append(pids, pidsOf(processesOf(t, f.await(id, mesos.TaskState_TASK_RUNNING)))...)
	}
	f.teardown()
	f.awaitClosed()
	gone(t, pids)
	c.awaitFramework(f, func(x listedFramework) bool { return x.Completed })
	checkRemoved(t, f)
	checkWholeOffers(t, other, 1)
}

// Offers that were declined are not made again until their filter ends, or the framework revives.
func TestOffersAreFiltered(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	none := func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.offers) > 0 {
			return fmt.Errorf("offers %v", f.offers)
		}
		return nil
	}
	f.decline(f.offer(nil), time.Hour)
	meanwhile(t, 2500*time.Millisecond, "declined resources are not offered", none)
	f.revive()
	f.decline(f.offer(nil), 0)
	o := f.offer(nil)
	f.suppress()
	f.decline(o, 0)
	meanwhile(t, 2500*time.Millisecond, "a suppressed framework gets no offers", none)
	f.revive()
	// Without a word about filters it is for 5 seconds.
	f.mustSend(&scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{
		OfferIds: []*mesos.OfferID{f.offer(nil).GetId(), {Value: proto.String("never-made")}},
	}})
	declined := time.Now()
	f.offer(nil)
	if d := time.Since(declined); d < 4*time.Second || d > 20*time.Second {
		t.Errorf("what was declined was offered again after %v", d)
	}
}

// What a framework asks for must be within what it was offered, and tasks that make no sense are refused one by one.
func TestInvalidTasks(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(sleeper("taken"))
	tooLong := strings.Repeat("x", 256)
	invalid := map[string]*mesos.TaskInfo{
		"too-many-cpus": shell("too-many-cpus", "true", resources(scalar("cpus", 400), scalar("mem", 32))),
		"too-much-mem":  shell("too-much-mem", "true", resources(scalar("cpus", 0.1), scalar("mem", 1e9))),
		"nothing":       shell("nothing", "true", resources()),
		"unheard-of":    shell("unheard-of", "true", resources(scalar("cpus", 0.1), scalar("unicorns", 1))),
		"negative":      shell("negative", "true", resources(scalar("cpus", -1))),
		"taken":         shell("taken", "true"),
		"a/b":           shell("a/b", "true"),
		"..":            shell("..", "true"),
		tooLong:         shell(tooLong, "true"),
	}
	tasks := []*mesos.TaskInfo{shell("valid", "exit 0"), shell(tooLong[1:], "exit 0")}
	for _, task := range invalid {
		tasks = append(tasks, task)
	}
	f.launch(tasks...)
	f.end("valid", "STARTING RUNNING FINISHED")
	f.end(tooLong[1:], "STARTING RUNNING FINISHED")
	f.launch(shell("valid", "exit 0")) // it has been completed: its id may come again
	f.awaitCount("valid", 6)
	for id := range invalid {
		s := f.await(id, mesos.TaskState_TASK_ERROR)
		if s.GetReason() != mesos.TaskStatus_REASON_TASK_INVALID || s.GetSource() != mesos.TaskStatus_SOURCE_MASTER || len(s.GetUuid()) > 0 || s.GetMessage() == "" {
			t.Errorf("%s: %v", id, s)
		}
	}
	f.kill("taken", 0)
	f.await("taken", mesos.TaskState_TASK_KILLED)
	checkWholeOffers(t, f, 1)
}
