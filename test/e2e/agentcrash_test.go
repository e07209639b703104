//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

// gate is a file that tasks wait for.
type gate string

func newGate(t *testing.T) gate { return gate(filepath.Join(t.TempDir(), "open")) }

// wait is a shell line that goes on when the gate is open.
func (g gate) wait() string {
	return fmt.Sprintf("while [ ! -e %s ]; do sleep 0.05; done; ", string(g))
}

func (g gate) open(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(string(g), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// An agent that is killed and started again finds its tasks running, or how they have ended meanwhile.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f, g := c.agents[0], subscribe(t, c), newGate(t)
	f.run(sleeper("runs-on"), sleeper("runs-on-too"), shell("ends-7", g.wait()+"exit 7"), shell("ends-well", g.wait()+"echo said"),
		shell("ends-by-signal", g.wait()+"kill -KILL $$"),
		shell("ends-greedy", g.wait()+`x=$(head -c 200000000 /dev/zero | tr '\0' x); echo ${#x}`))
	before := c.agentIDs()
	var stay []leak.Process
	for _, id := range []string{"runs-on", "runs-on-too"} {
		stay = append(stay, processesOf(t, f.await(id, mesos.TaskState_TASK_RUNNING))...)
	}
	var end []int
	for _, id := range []string{"ends-7", "ends-well", "ends-by-signal", "ends-greedy"} {
		end = append(end, initOf(t, f.await(id, mesos.TaskState_TASK_RUNNING)).PID)
	}
	plugins := descendants(t, a.pid(), suite.bin+"/isolator-cgroups")
	if len(plugins) != 1 {
		t.Fatalf("the agent's isolators are %v", plugins)
	}
	a.kill()
	gone(t, []int{plugins[0].PID})
	g.open(t)
	gone(t, end)
	c.restart(a)
	allSame(t, stay)
	if after := c.agentIDs(); !slices.Equal(before, after) {
		t.Errorf("the agents were %v, now %v", before, after)
	}
	for id, want := range map[string]string{
		"ends-7": "Command exited with status 7", "ends-by-signal": "Command terminated with signal Killed",
	} {
		if s := f.end(id, "STARTING RUNNING FAILED"); s.GetMessage() != want {
			t.Errorf("%s: %q", id, s.GetMessage())
		}
	}
	f.end("ends-well", "STARTING RUNNING FINISHED")
	if s := f.end("ends-greedy", "STARTING RUNNING FAILED"); s.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
		t.Errorf("out of memory while nobody watched: %s, %s", s.GetReason(), s.GetMessage())
	}
	if out := f.sandboxFile(a, "ends-well", "stdout"); out != "said\n" {
		t.Errorf("its output: %q", out)
	}
	f.kill("runs-on", -1)
	f.end("runs-on", "STARTING RUNNING KILLED")
	f.launch(shell("after", "exit 0"))
	f.end("after", "STARTING RUNNING FINISHED")
	allSame(t, stay[len(stay)/2:])
}

// An isolator that has containers in hand cannot be taken out of the configuration: the agent names it and them, and
// leaves them alone.
func TestIsolatorTakenOut(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.run(sleeper("one"), sleeper("two"))
	want := []string{`isolator "cgroups"`, "not in the configuration"}
	var stay []leak.Process
	for _, id := range []string{"one", "two"} {
		s := f.await(id, mesos.TaskState_TASK_RUNNING)
		stay = append(stay, processesOf(t, s)...)
		want = append(want, s.GetContainerStatus().GetContainerId().GetValue())
	}
	a.kill()
	mustSay(t, command(t, "mezzo", "agent", replaced(t, a.config, c.plugin("isolator", "cgroups", c.site.isolator), "")), 1, want...)
	allSame(t, stay)
	c.restart(a)
	for _, id := range []string{"one", "two"} {
		f.kill(id, -1)
		f.end(id, "STARTING RUNNING KILLED")
	}
}

// agentIDs are the ids of the registered agents, in order.
func (c *cluster) agentIDs() []string {
	c.t.Helper()
	var list slaves
	if err := c.get("/slaves", &list); err != nil {
		c.t.Fatal(err)
	}
	var ids []string
	for _, s := range list.Slaves {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// Whatever an agent is doing when it is killed, every task comes to exactly one end.
func TestAgentKilledWhileLaunching(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{resources: "cpus:100;mem:100000;disk:1000"})
	a, f := c.agents[0], subscribe(t, c)
	for round := range 4 {
		var tasks []*mesos.TaskInfo
		for i := range 12 {
			tasks = append(tasks, shell(fmt.Sprintf("round%d-%d", round, i), "sleep 0.1; exit 0"))
		}
		f.launch(tasks...)
		first := tasks[2*round].GetTaskId().GetValue()
		eventually(t, first+" is on its way", func() error {
			if len(f.history(first)) == 0 {
				return errNotYet("no update")
			}
			return nil
		})
		a.kill()
		c.restart(a)
		for _, task := range tasks {
			id := task.GetTaskId().GetValue()
			s := f.awaitStatus(id, "comes to an end", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
			switch s.GetState() {
			case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_DROPPED:
			default:
				t.Errorf("%s: %v", id, s)
			}
		}
	}
	ends := 0
	f.mu.Lock()
	for id, h := range f.updates {
		states := map[mesos.TaskState]bool{}
		for _, s := range h {
			if terminal(s.GetState()) {
				states[s.GetState()] = true
			}
		}
		if ends++; len(states) != 1 {
			t.Errorf("%s went %s", id, way(h))
		}
	}
	f.mu.Unlock()
	if ends != 48 {
		t.Errorf("%d tasks were heard of", ends)
	}
}

// Of two agents on one machine, one that is killed and started again leaves the other's containers alone.
func TestTwoAgentsOnOneMachine(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{agents: 2})
	f := subscribe(t, c)
	stay := map[*agent][]leak.Process{}
	for i, a := range c.agents {
		id := fmt.Sprintf("on-%d", i)
		o := f.offer(func(o *mesos.Offer) bool { return o.GetUrl().GetAddress().GetPort() == portOf(a.address) })
		if err := f.accept(o, sleeper(id)); err != nil {
			t.Fatal(err)
		}
		stay[a] = processesOf(t, f.await(id, mesos.TaskState_TASK_RUNNING))
	}
	for _, a := range c.agents {
		a.kill()
		c.restart(a)
		for _, processes := range stay {
			allSame(t, processes)
		}
	}
	for i, a := range c.agents {
		if groups := a.cgroupsOf(f.await(fmt.Sprintf("on-%d", i), mesos.TaskState_TASK_RUNNING)); len(groups) == 0 {
			t.Errorf("the task on %s has lost its cgroup", a.name)
		}
	}
	for i := range c.agents {
		f.kill(fmt.Sprintf("on-%d", i), -1)
		f.end(fmt.Sprintf("on-%d", i), "STARTING RUNNING KILLED")
	}
}

func portOf(address string) int32 {
	var port int32
	_, _ = fmt.Sscanf(address, "127.0.0.1:%d", &port)
	return port
}

// A second agent cannot have the first one's folder, and says who has it.
func TestWorkDirInUse(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a := c.agents[0]
	f := subscribe(t, c)
	f.run(sleeper("stays"))
	stay := processesOf(t, f.await("stays", mesos.TaskState_TASK_RUNNING))
	config := replaced(t, a.config, a.address, freeAddress(t))
	r := command(t, "mezzo", "agent", config)
	mustSay(t, r, 1, a.workDir(), fmt.Sprint(a.pid()), "work_dir")
	allSame(t, stay)
}

// A container whose mezzo-init is killed ends with it, and the task has failed.
func TestInitKilled(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(shell("orphaned", "sleep 1000 & sleep 1000"))
	s := f.await("orphaned", mesos.TaskState_TASK_RUNNING)
	var pids []int
	for _, p := range processesOf(t, s) {
		pids = append(pids, p.PID)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if last := f.end("orphaned", "STARTING RUNNING FAILED"); last.GetReason() != mesos.TaskStatus_REASON_EXECUTOR_TERMINATED {
		t.Errorf("%s: %s", last.GetReason(), last.GetMessage())
	}
	gone(t, pids)
}

// An update comes again until it is acknowledged, also from an agent that has been killed meanwhile; the next one
// comes only then.
func TestUpdatesAreSentAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c, notAcknowledging)
	f.launch(sleeper("unacknowledged"))
	first := f.await("unacknowledged", mesos.TaskState_TASK_STARTING)
	came := time.Now()
	other := proto.CloneOf(first)
	other.Uuid = make([]byte, 16)
	if err := f.acknowledge(other); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the acknowledgement of another update is counted", func() error {
		var metrics map[string]float64
		if err := c.get("/metrics/snapshot", &metrics); err != nil || metrics["master/invalid_status_update_acknowledgements"] != 1 {
			return fmt.Errorf("%v %w", metrics["master/invalid_status_update_acknowledgements"], err)
		}
		return nil
	})
	f.awaitCount("unacknowledged", 2)
	if waited := time.Since(came); waited < 9*time.Second || waited > 15*time.Second {
		t.Errorf("the update came again after %v", waited)
	}
	a.kill()
	c.restart(a)
	f.awaitCount("unacknowledged", 3)
	for _, s := range f.history("unacknowledged") {
		if string(s.GetUuid()) != string(first.GetUuid()) || s.GetState() != mesos.TaskState_TASK_STARTING {
			t.Errorf("got %v", s)
		}
	}
	if err := f.acknowledge(first); err != nil {
		t.Fatal(err)
	}
	if err := f.acknowledge(f.await("unacknowledged", mesos.TaskState_TASK_RUNNING)); err != nil {
		t.Fatal(err)
	}
	f.kill("unacknowledged", 0)
	f.await("unacknowledged", mesos.TaskState_TASK_KILLED)
	f.disconnect() // without acknowledging it
}

// awaitCount waits until a task has had so many updates.
func (f *framework) awaitCount(task string, n int) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("%d updates of %s", n, task), func() error {
		if h := f.history(task); len(h) < n {
			return errNotYet(way(h))
		}
		return nil
	})
}
