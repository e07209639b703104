//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// An agent that does not answer is unreachable, and so are its tasks. When it answers again, they are as before.
func TestAgentUnreachable(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{master: "agent_ping_timeout = \"1s\"\n max_agent_ping_timeouts = 8"})
	a := c.agents[0]
	aware, plain := subscribe(t, c), newFramework(t, c, with(func(i *mesos.FrameworkInfo) { i.Capabilities = nil }))
	aware.run(sleeper("aware"))
	running := aware.await("aware", mesos.TaskState_TASK_RUNNING)
	aware.stepAside()
	plain.mustSubscribe()
	plain.run(sleeper("plain"))
	stay := append(processesOf(t, running), processesOf(t, plain.await("plain", mesos.TaskState_TASK_RUNNING))...)
	before := c.agentIDs()
	o := plain.offer(nil)
	stopped := time.Now()
	a.signal(syscall.SIGSTOP)
	t.Cleanup(func() { a.signal(syscall.SIGCONT) })
	s := aware.await("aware", mesos.TaskState_TASK_UNREACHABLE)
	if s.GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED || s.GetUnreachableTime() == nil {
		t.Errorf("unreachable: %v", s)
	}
	// It had answered the ping before last at the least.
	if waited := time.Unix(0, s.GetUnreachableTime().GetNanoseconds()).Sub(stopped); waited < 6*time.Second {
		t.Errorf("it is unreachable after %v, in which it cannot have missed 8 pings", waited)
	}
	plain.await("plain", mesos.TaskState_TASK_LOST)
	plain.awaitEvent("the offer is rescinded", func(e *scheduler.Event) bool {
		return e.GetRescind().GetOfferId().GetValue() == o.GetId().GetValue()
	})
	plain.awaitEvent("the agent's failure is told", func(e *scheduler.Event) bool {
		return e.GetFailure().GetAgentId().GetValue() == before[0]
	})
	if c.registered(a) != 0 {
		t.Error("the agent is active")
	}
	a.signal(syscall.SIGCONT)
	aware.awaitStatus("aware", "runs again", func(s *mesos.TaskStatus) bool {
		return s.GetState() == mesos.TaskState_TASK_RUNNING && s.GetReason() == mesos.TaskStatus_REASON_AGENT_REREGISTERED
	})
	c.wait()
	if after := c.agentIDs(); len(after) != 1 || after[0] != before[0] {
		t.Errorf("the agents were %v, now %v", before, after)
	}
	allSame(t, stay)
	aware.kill("aware", -1)
	aware.await("aware", mesos.TaskState_TASK_KILLED)
}
