//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func grace(d time.Duration) change {
	return func(t *mesos.TaskInfo) {
		t.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: new(int64)}}
		*t.KillPolicy.GracePeriod.Nanoseconds = int64(d)
	}
}

// stubborn is a task that ignores SIGTERM, as do its children, and says so when it has got that far.
func stubborn(id string, changes ...change) *mesos.TaskInfo {
	return shell(id, `trap "echo asked" TERM; sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' & while :; do wait; done`, changes...)
}

// readied waits until a task has written a word to its output.
func readied(t *testing.T, c *cluster, f *framework, task, word string) {
	t.Helper()
	eventually(t, task+" says "+word, func() error {
		if err := f.has(c.agents[0], task, "stdout"); err != nil {
			return err
		}
		if out := f.sandboxFile(c.agents[0], task, "stdout"); !strings.Contains(out, word) {
			return errNotYet(out)
		}
		return nil
	})
}

type errNotYet string

func (e errNotYet) Error() string { return "not yet: " + string(e) }

func TestKill(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c, capable(mesos.FrameworkInfo_Capability_TASK_KILLING_STATE))
	f.run(sleeper("plain"), stubborn("stubborn", grace(500*time.Millisecond)), stubborn("override", grace(time.Hour)),
		shell("clean", `trap "echo cleaned up; exit 0" TERM; echo ready; while :; do sleep 0.1; done`), stubborn("now"), stubborn("default"))
	for _, id := range []string{"stubborn", "override", "clean", "now", "default"} {
		readied(t, c, f, id, "ready")
	}
	var all []int
	for _, id := range []string{"plain", "stubborn", "override", "clean", "now", "default"} {
		for _, p := range processesOf(t, f.await(id, mesos.TaskState_TASK_RUNNING)) {
			all = append(all, p.PID)
		}
	}
	asked := time.Now()
	f.kill("plain", -1)
	f.kill("stubborn", -1)
	f.kill("override", 600*time.Millisecond)
	f.kill("clean", -1)
	f.kill("now", 0)
	f.kill("default", -1)
	for id, message := range map[string]string{
		"plain": "Command terminated with signal Terminated", "stubborn": "Command terminated with signal Killed",
		"override": "Command terminated with signal Killed", "clean": "Command exited with status 0", "now": "Command terminated with signal Killed",
		"default": "Command terminated with signal Killed",
	} {
		if s := f.end(id, "STARTING RUNNING KILLING KILLED"); s.GetMessage() != message {
			t.Errorf("%s: %q, want %q", id, s.GetMessage(), message)
		}
	}
	ended := func(id string) time.Duration {
		s := f.end(id, "STARTING RUNNING KILLING KILLED")
		return time.UnixMicro(int64(s.GetTimestamp() * 1e6)).Sub(asked)
	}
	if d := ended("stubborn"); d < 450*time.Millisecond {
		t.Errorf("SIGKILL came after %v, before the task's grace of 500 ms was over", d)
	}
	if d := ended("default"); d < 2900*time.Millisecond || d > 20*time.Second {
		t.Errorf("SIGKILL came after %v to a task of which nobody has said a grace", d)
	}
	if out := f.sandboxFile(c.agents[0], "stubborn", "stdout"); !strings.Contains(out, "asked") {
		t.Errorf("no SIGTERM came first: %q", out)
	}
	if out := f.sandboxFile(c.agents[0], "clean", "stdout"); !strings.Contains(out, "cleaned up") {
		t.Errorf("the task could not clean up: %q", out)
	}
	gone(t, all)
}

// Asking again can only shorten the time that a task has.
func TestKillAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.run(stubborn("shrinks"), stubborn("grows"), stubborn("later"))
	for _, id := range []string{"shrinks", "grows", "later"} {
		readied(t, c, f, id, "ready")
	}
	asked := time.Now()
	f.kill("shrinks", time.Hour)
	f.kill("grows", time.Second)
	readied(t, c, f, "grows", "asked")
	f.kill("grows", time.Hour)
	meanwhile(t, 2*time.Second, "the task with an hour of grace lives", func() error {
		if h := f.history("shrinks"); way(h) != "STARTING RUNNING" {
			return errNotYet(way(h))
		}
		return nil
	})
	f.kill("later", time.Second)
	f.kill("shrinks", 2*time.Second) // from when it was first asked, which is over
	shrunk, later := f.end("shrinks", "STARTING RUNNING KILLED"), f.end("later", "STARTING RUNNING KILLED")
	if shrunk.GetTimestamp() >= later.GetTimestamp() {
		t.Errorf("what was asked first ended at %f, what has been asked since at %f", shrunk.GetTimestamp(), later.GetTimestamp())
	}
	f.end("grows", "STARTING RUNNING KILLED")
	if d := time.Since(asked); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestKillUnknown(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	aware, plain := subscribe(t, c), subscribe(t, c, with(func(i *mesos.FrameworkInfo) { i.Capabilities = nil }))
	aware.kill("never-launched", -1)
	plain.kill("never-launched", -1)
	aware.await("never-launched", mesos.TaskState_TASK_UNKNOWN)
	plain.await("never-launched", mesos.TaskState_TASK_LOST)
}

func TestMaxCompletionTime(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	task := stubborn("bounded")
	limit := int64(time.Second)
	task.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: &limit}
	f.launch(task)
	if s := f.end("bounded", "STARTING RUNNING FAILED"); s.GetReason() != mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED {
		t.Errorf("the reason is %s", s.GetReason())
	}
	// There is no grace: nobody has asked it to end by itself.
	if out := f.sandboxFile(c.agents[0], "bounded", "stdout"); strings.Contains(out, "asked") {
		t.Errorf("SIGTERM came first: %q", out)
	}
}
