//go:build linux

package e2e

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// A master that is killed and started again has its agents and frameworks back, and no task has noticed.
func TestMasterKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agents: 2})
	f, g := subscribe(t, c), newGate(t)
	f.run(sleeper("runs-on"), shell("ends-meanwhile", g.wait()+"exit 4"))
	before, id := c.agentIDs(), f.id.GetValue()
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	ends := initOf(t, f.await("ends-meanwhile", mesos.TaskState_TASK_RUNNING))
	c.master.kill()
	f.awaitClosed()
	g.open(t)
	gone(t, []int{ends.PID})
	c.master.start()
	c.wait()
	f.resubscribe()
	back := time.Now()
	if f.id.GetValue() != id {
		t.Errorf("the framework was %s, now %s", id, f.id.GetValue())
	}
	if s := f.end("ends-meanwhile", "STARTING RUNNING FAILED"); s.GetMessage() != "Command exited with status 4" {
		t.Errorf("what ended meanwhile: %q", s.GetMessage())
	}
	checkResumed(t, back)
	if after := c.agentIDs(); !slices.Equal(before, after) {
		t.Errorf("the agents were %v, now %v", before, after)
	}
	allSame(t, stay)
	f.reconcile()
	s := f.awaitStatus("runs-on", "is reconciled", func(s *mesos.TaskStatus) bool {
		return s.GetReason() == mesos.TaskStatus_REASON_RECONCILIATION
	})
	if s.GetState() != mesos.TaskState_TASK_RUNNING || len(s.GetUuid()) > 0 {
		t.Errorf("the new master says %v", s)
	}
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	f.kill("runs-on", -1)
	f.end("runs-on", "STARTING RUNNING KILLED")
	checkWholeOffers(t, f, 2)
}

// A master whose registry is lost learns from agents and frameworks what there is.
func TestMasterLosesItsRegistry(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	c.master.kill()
	c.master.start() // a second term
	c.wait()
	f := subscribe(t, c)
	f.run(sleeper("runs-on"))
	before, id := c.agentIDs(), f.id.GetValue()
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	c.master.kill()
	if err := os.RemoveAll(filepath.Join(c.dir, "master")); err != nil {
		t.Fatal(err)
	}
	c.master.start()
	c.wait()
	f.resubscribe()
	if after := c.agentIDs(); !slices.Equal(before, after) || f.id.GetValue() != id {
		t.Errorf("the agent was %v, now %v; the framework %s, now %s", before, after, id, f.id.GetValue())
	}
	allSame(t, stay)
	f.kill("runs-on", -1)
	f.end("runs-on", "STARTING RUNNING KILLED")
	checkWholeOffers(t, f, 1)
}

// checkWholeOffers waits until everything that the agents have is on offer again, so that nothing was lost or is
// counted twice.
func checkWholeOffers(t *testing.T, f *framework, agents int) {
	t.Helper()
	f.revive()
	eventually(t, "everything is on offer", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		sum := map[string]float64{}
		for _, o := range f.offers {
			sum["cpus"] += amount(o, "cpus")
			sum["mem"] += amount(o, "mem")
		}
		if want := float64(agents); math.Abs(sum["cpus"]-4*want) > 1e-6 || sum["mem"] != 4096*want {
			return errNotYet(mapText(sum))
		}
		return nil
	})
}

// Master and agent are killed at once, as when a machine loses its power but for what runs in the containers.
func TestMasterAndAgentKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(sleeper("runs-on"))
	stay := processesOf(t, f.await("runs-on", mesos.TaskState_TASK_RUNNING))
	c.master.kill()
	c.agents[0].kill()
	c.master.start()
	c.agents[0].start()
	c.wait()
	f.resubscribe()
	allSame(t, stay)
	f.kill("runs-on", -1)
	f.end("runs-on", "STARTING RUNNING KILLED")
}

// Offers are taken back when their agent goes.
func TestOffersGoWithTheirAgent(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	o := f.offer(nil)
	c.agents[0].kill()
	f.awaitEvent("the offer is rescinded", func(e *scheduler.Event) bool {
		return e.GetType() == scheduler.Event_RESCIND && e.GetRescind().GetOfferId().GetValue() == o.GetId().GetValue()
	})
	if err := f.accept(o, shell("late", "true")); err != nil {
		t.Fatal(err)
	}
	if s := f.end("late", "DROPPED"); s.GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS {
		t.Errorf("the reason is %s", s.GetReason())
	}
	c.restart(c.agents[0])
	checkWholeOffers(t, f, 1)
}
