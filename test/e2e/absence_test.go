//go:build linux

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// An agent that a new master waits for in vain is unreachable after a while, and is silent about until then. It may
// come back all the same.
func TestAgentStaysAway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{master: `agent_reregister_timeout = "4s"`})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("away"))
	stay := processesOf(t, f.await("away", mesos.TaskState_TASK_RUNNING))
	a.kill()
	c.master.kill()
	c.master.start()
	f.resubscribe()
	known := len(f.history("away"))
	f.ask("away", "never-was")
	// It is not said that a task is unknown while an agent is awaited that might have it.
	meanwhile(t, time.Second, "the master says nothing yet", func() error {
		if h := f.history("away"); len(h) > known {
			return fmt.Errorf("it says %v", h[known:])
		}
		return nil
	})
	eventually(t, "the agent is given up", func() error {
		f.ask("away")
		if s := f.latest("away"); s.GetState() != mesos.TaskState_TASK_UNREACHABLE {
			return errNotYet(s.GetState().String())
		}
		return nil
	})
	f.ask("never-was")
	f.await("never-was", mesos.TaskState_TASK_UNKNOWN)
	c.restart(a)
	eventually(t, "the task runs again", func() error {
		f.ask("away")
		if s := f.latest("away"); s.GetState() != mesos.TaskState_TASK_RUNNING {
			return errNotYet(s.GetState().String())
		}
		return nil
	})
	allSame(t, stay)
	f.kill("away", 0)
	f.await("away", mesos.TaskState_TASK_KILLED)
}

// ask reconciles some tasks, with the agents that they were last heard of from.
func (f *framework) ask(tasks ...string) {
	f.t.Helper()
	r := &scheduler.Call_Reconcile{}
	for _, id := range tasks {
		r.Tasks = append(r.Tasks, &scheduler.Call_Reconcile_Task{TaskId: &mesos.TaskID{Value: &id}, AgentId: f.latest(id).GetAgentId()})
	}
	f.mustSend(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: r})
}

// latest is the last status of a task.
func (f *framework) latest(task string) *mesos.TaskStatus {
	if h := f.history(task); len(h) > 0 {
		return h[len(h)-1]
	}
	return nil
}

// What is killed while its agent is away is killed when it comes back.
func TestKillWhileTheAgentIsAway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("wanted"), sleeper("unwanted"))
	stay := processesOf(t, f.await("wanted", mesos.TaskState_TASK_RUNNING))
	a.kill()
	f.kill("unwanted", 0)
	c.restart(a)
	f.end("unwanted", "STARTING RUNNING KILLED")
	allSame(t, stay)
	f.kill("wanted", 0)
	f.end("wanted", "STARTING RUNNING KILLED")
}

// A framework that cannot subscribe again because nobody can say whether it may is not removed for that.
func TestNobodyIsRemovedWithoutAnAuthorizer(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := startCluster(t, s)
	f := subscribe(t, c, failoverTimeout(2*time.Second))
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))
	p := ready(t, c.address, "authorizer", 0)
	back := hide(t, dir, "authorizer-opa")
	p.send(t, syscall.SIGKILL)
	eventually(t, "the authorizer is missed", func() error {
		if err := newFramework(t, c).subscribe(); err == nil {
			return errNotYet("SUBSCRIBE is answered")
		}
		return nil
	})
	f.disconnect()
	meanwhile(t, 4*time.Second, "the framework's tasks run", func() error {
		for _, p := range stay {
			if !p.Same() {
				return fmt.Errorf("process %s is gone", p)
			}
		}
		return nil
	})
	mustBeUnavailable(t, "SUBSCRIBE", f.subscribe())
	back()
	if r := c.mezzo("plugin", "reload", "authorizer", "opa"); r.status != 0 && r.status != 1 {
		t.Errorf("reload: %s", r)
	}
	f.resubscribe()
	allSame(t, stay)
	f.kill("stays", 0)
	f.end("stays", "STARTING RUNNING KILLED")
}

// Offers that are not answered are taken back, where the master is told to.
func TestOfferTimeout(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{master: `offer_timeout = "1s"`})
	f := subscribe(t, c)
	o := f.offer(nil)
	f.awaitEvent("the offer is rescinded", func(e *scheduler.Event) bool {
		return e.GetType() == scheduler.Event_RESCIND && e.GetRescind().GetOfferId().GetValue() == o.GetId().GetValue()
	})
	f.offer(nil)
}
