package api_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/client"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// These are the tests of host/client: they need a real master, which stands here.

func newClient(t *testing.T, masters ...string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Masters: masters})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func job(id, command string) client.Job {
	scalar := func(name string, v float64) *mesos.Resource {
		return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	}
	return client.Job{
		Framework: &mesos.FrameworkInfo{User: proto.String("root"), Name: proto.String("run " + id)},
		Task: &mesos.TaskInfo{
			Name: &id, TaskId: &mesos.TaskID{Value: &id}, Command: &mesos.CommandInfo{Value: &command},
			Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		},
	}
}

func TestRunToTheEnd(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	var states []string
	j := job("t1", "finish")
	j.Update = func(s *mesos.TaskStatus) { states = append(states, s.GetState().String()) }
	status, err := newClient(t, c.server.URL).Run(t.Context(), j)
	if err != nil || status.GetState() != mesos.TaskState_TASK_FINISHED {
		t.Fatalf("%v %v", status, err)
	}
	if got := strings.Join(states, " "); got != "TASK_RUNNING TASK_FINISHED" {
		t.Errorf("updates %s", got)
	}
	eventually(t, func() bool {
		for range c.loop.State().Frameworks() {
			return false
		}
		return true
	})
}

func TestRunKillsWhenCancelled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	ctx, cancel := context.WithCancel(t.Context())
	j := job("t1", "run")
	j.Update = func(s *mesos.TaskStatus) {
		if s.GetState() == mesos.TaskState_TASK_RUNNING {
			cancel()
		}
	}
	status, err := newClient(t, c.server.URL).Run(ctx, j)
	if !errors.Is(err, client.ErrKilled) || status.GetState() != mesos.TaskState_TASK_KILLED {
		t.Fatalf("%v %v", status, err)
	}
}

func TestRunCancelledBeforeAnOffer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	ctx, cancel := context.WithCancel(t.Context())
	j := job("t1", "run")
	j.Waiting = func(time.Duration, int) { cancel() }
	if _, err := newClient(t, c.server.URL).Run(ctx, j); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
}

func TestRunSurvivesABrokenStream(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	ctx, cancel := context.WithCancel(t.Context())
	broken := false
	j := job("t1", "run")
	j.Update = func(s *mesos.TaskStatus) {
		switch {
		case !broken:
			broken = true
			go c.server.CloseClientConnections()
		case s.GetReason() == mesos.TaskStatus_REASON_RECONCILIATION:
			cancel() // it has subscribed again and knows that the task runs
		}
	}
	status, err := newClient(t, c.server.URL).Run(ctx, j)
	if !errors.Is(err, client.ErrKilled) || status.GetState() != mesos.TaskState_TASK_KILLED {
		t.Fatalf("%v %v", status, err)
	}
}

func TestRunRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	j := job("t1", "run")
	j.Framework.Role = proto.String("a b")
	_, err := newClient(t, c.server.URL).Run(t.Context(), j)
	var refused *client.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "is not a valid role") {
		t.Fatalf("%v", err)
	}
}

func TestClientReadsState(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	s := populate(t, c)
	cl := newClient(t, c.server.URL)
	ctx := t.Context()
	tasks, err := cl.Tasks(ctx)
	if err != nil || len(tasks.Active) != 1 || len(tasks.Completed) != 2 || len(tasks.All()) != 3 {
		t.Fatalf("%v %v", tasks, err)
	}
	agents, err := cl.Agents(ctx)
	if err != nil || len(agents) != 1 {
		t.Fatalf("%v %v", agents, err)
	}
	active, completed, err := cl.Frameworks(ctx)
	if err != nil || len(active) != 1 || len(completed) != 1 {
		t.Fatalf("%v %v %v", active, completed, err)
	}
	task, err := cl.FindTask(ctx, "run-1", "")
	if err != nil || task.GetFrameworkId().GetValue() != s.framework {
		t.Fatalf("%v %v", task, err)
	}
	if _, err := cl.FindTask(ctx, "nope", ""); !errors.Is(err, client.ErrNoTask) {
		t.Errorf("%v", err)
	}
	if err := cl.Teardown(ctx, s.framework); err != nil {
		t.Errorf("%v", err)
	}
	if err := cl.Teardown(ctx, s.framework); !client.IsStatus(err, http.StatusBadRequest) {
		t.Errorf("%v", err)
	}
}

func TestClientFindsTheLeader(t *testing.T) {
	t.Parallel()
	leader := newCluster(t, options{})
	standby := newCluster(t, options{})
	address := strings.TrimPrefix(leader.server.URL, "http://")
	now := standby.leader.Leader()
	now.Self, now.Ready, now.Address = false, false, address
	standby.leader.set(now)
	cl := newClient(t, "127.0.0.1:1", standby.server.URL)
	if got, err := cl.Leader(t.Context()); err != nil || got != leader.server.URL {
		t.Errorf("%q %v", got, err)
	}
	leader.addAgent(t, "cpus:4;mem:4096;disk:1000", "127.0.0.1:5051")
	if status, err := cl.Run(t.Context(), job("t1", "finish")); err != nil || status.GetState() != mesos.TaskState_TASK_FINISHED {
		t.Errorf("%v %v", status, err)
	}
}

func TestClientErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, "127.0.0.1:1").Tasks(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no master answers at 127.0.0.1:1") ||
		!strings.Contains(err.Error(), "is it running? pass --master HOST:PORT") {
		t.Errorf("%v", err)
	}
	c := newCluster(t, options{authn: basic(t)})
	if _, err := newClient(t, c.server.URL).Tasks(t.Context()); err == nil || !strings.Contains(err.Error(), "pass --principal") {
		t.Errorf("%v", err)
	}
	known, err := client.New(client.Config{Masters: []string{c.server.URL}, Principal: "alice", Secret: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := known.Tasks(t.Context()); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	for _, bad := range []string{"", "http://", "ftp://x:1", "a b:1"} {
		if _, err := client.New(client.Config{Masters: []string{bad}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := client.New(client.Config{}); err == nil {
		t.Error("no master is taken")
	}
}

func TestClientReadsAndFollowsFiles(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	c := newCluster(t, options{})
	c.addAgent(t, "cpus:4;mem:4096;disk:1000;ports:[31000-31009]", strings.TrimPrefix(m.server.URL, "http://"))
	s := c.subscribe(t, `{"user": "root", "name": "x"}`)
	s.launch(s.wait("OFFERS"), "t1", "run")
	s.update("t1", "TASK_RUNNING")
	spec := m.run(s.framework, "t1")
	out := filepath.Join(spec.Sandbox, "stdout")
	binary := append([]byte("\xff\x00first\n"), bytes.Repeat([]byte("x"), 200_000)...)
	if err := os.WriteFile(out, binary, 0o644); err != nil {
		t.Fatal(err)
	}
	cl := newClient(t, c.server.URL)
	task, err := cl.FindTask(t.Context(), "t1", "")
	if err != nil {
		t.Fatal(err)
	}
	box, err := cl.Sandbox(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if n, err := box.Copy(t.Context(), &got, "stdout", 0); err != nil || n != int64(len(binary)) || !bytes.Equal(got.Bytes(), binary) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, _, err := box.Read(t.Context(), "nope", 0); !client.IsStatus(err, 404) || !strings.Contains(err.Error(), "file nope of task t1 is not there") {
		t.Errorf("%v", err)
	}

	followed := &syncBuffer{}
	done := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- box.Follow(t.Context(), followed, "stderr", 0, done) }() // which is not there yet
	errPath := filepath.Join(spec.Sandbox, "stderr")
	for _, line := range []string{"one\n", "two\n"} {
		f, err := os.OpenFile(errPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		writeAll(t, f, line)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return strings.HasSuffix(followed.String(), line) })
	}
	close(done)
	if err := <-ended; err != nil || followed.String() != "one\ntwo\n" {
		t.Errorf("%q %v", followed, err)
	}
}
