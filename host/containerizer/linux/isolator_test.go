//go:build linux && !cgroups2

package linux_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// journal is what several isolators were asked, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) about(id string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, l := range j.lines {
		if line, ok := strings.CutSuffix(l, " "+id); ok {
			out = append(out, line)
		}
	}
	return out
}

// recorder is an isolator that writes down what it is asked, and answers as it is told to.
type recorder struct {
	name    string
	journal *journal
	plan    isolator.Plan
	unknown []isolator.Container

	mu       sync.Mutex
	known    []isolator.Container
	errs     map[string][]error // by method: what the next calls answer
	emit     map[string]func(isolator.Limitation) error
	cleaned  map[string]chan struct{}
	lastWish *isolator.Limitation // told when the container is cleaned up
	update   map[string]resource.Limit
}

func newRecorder(name string, j *journal) *recorder {
	return &recorder{
		name: name, journal: j, errs: map[string][]error{},
		emit: map[string]func(isolator.Limitation) error{}, cleaned: map[string]chan struct{}{},
	}
}

func (r *recorder) answer(method, id string) error {
	r.journal.add(r.name + "." + method + " " + id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.errs[method]; len(list) > 0 {
		r.errs[method] = list[1:]
		return list[0]
	}
	return nil
}

func (r *recorder) failing(method string, errs ...error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs[method] = errs
}

func (r *recorder) Recover(_ context.Context, instance string, known []isolator.Container) ([]isolator.Container, error) {
	err := r.answer("Recover", instance)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	r.known = known
	return r.unknown, nil
}

func (r *recorder) Prepare(_ context.Context, s isolator.Spec) (isolator.Plan, error) {
	r.mu.Lock()
	r.cleaned[s.Container.ID] = make(chan struct{})
	r.mu.Unlock()
	plan := r.plan
	plan.Handle = isolator.Handle{HandleVersion: 7, Data: []byte(r.name + "/" + s.Container.ID)}
	return plan, r.answer("Prepare", s.Container.ID)
}

func (r *recorder) Isolate(_ context.Context, c isolator.Container, _ int) error {
	if string(c.Handle.Data) != r.name+"/"+c.ID {
		return errors.New("this is not my handle")
	}
	return r.answer("Isolate", c.ID)
}

func (r *recorder) Watch(ctx context.Context, c isolator.Container, emit func(isolator.Limitation) error) error {
	r.mu.Lock()
	r.emit[c.ID] = emit
	cleaned, ok := r.cleaned[c.ID]
	if !ok { // it was prepared by an earlier life of the plugin
		cleaned = make(chan struct{})
		r.cleaned[c.ID] = cleaned
	}
	r.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-cleaned:
		r.mu.Lock()
		wish := r.lastWish
		r.mu.Unlock()
		if wish != nil {
			return emit(*wish)
		}
	}
	return nil
}

func (r *recorder) Update(_ context.Context, c isolator.Container, _ resource.Resources, limits map[string]resource.Limit) error {
	r.mu.Lock()
	r.update = limits
	r.mu.Unlock()
	return r.answer("Update", c.ID)
}

func (r *recorder) Usage(_ context.Context, list []isolator.Container) (map[string]isolator.Usage, error) {
	out := map[string]isolator.Usage{}
	for _, c := range list {
		n := uint32(len(r.name))
		if r.name == "a" {
			out[c.ID] = isolator.Usage{Processes: &n}
		} else {
			out[c.ID] = isolator.Usage{Threads: &n}
		}
	}
	return out, nil
}

func (r *recorder) Status(context.Context, []isolator.Container) (map[string]isolator.Status, error) {
	return nil, nil
}

func (r *recorder) Cleanup(_ context.Context, c isolator.Container) error {
	err := r.answer("Cleanup", c.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return err
	}
	ch, ok := r.cleaned[c.ID]
	if !ok { // it was prepared by an earlier life of the plugin
		ch = make(chan struct{})
		r.cleaned[c.ID] = ch
	}
	select {
	case <-ch:
	default:
		close(ch)
	}
	return nil
}

// withIsolators is a rig with two isolators, a and bb.
func withIsolators(t *testing.T) (r *rig, a, b *recorder, j *journal) {
	t.Helper()
	j = &journal{}
	a, b = newRecorder("a", j), newRecorder("bb", j)
	r = newRig(t, func(c *launcher.Config) {
		c.Isolators = []containerizer.IsolatorInstance{{Name: "a", Isolator: a}, {Name: "bb", Isolator: b}}
		c.LaunchTimeout = 500 * time.Millisecond
	})
	return r, a, b, j
}

func TestIsolatorsInOrder(t *testing.T) {
	t.Parallel()
	r, a, b, j := withIsolators(t)
	a.plan.Env = []string{"FROM_A=1", "TASK=isolator"}
	b.plan.Env = []string{"FROM_B=2", "FROM_A=1"}
	spec := r.shell("order", "echo $FROM_A $FROM_B $TASK")
	spec.Command.Environment = []containerizer.Variable{{Name: "TASK", Value: "task"}}
	if status, stdout, stderr := r.runToEnd(spec); status != 0 || stdout != "1 2 task\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	wanted := []string{"a.Prepare", "bb.Prepare", "a.Isolate", "bb.Isolate", "bb.Cleanup", "a.Cleanup"}
	if got := j.about("order"); !slices.Equal(got, wanted) {
		t.Errorf("calls %v, want %v", got, wanted)
	}
}

func TestIsolatorErrors(t *testing.T) {
	t.Parallel()
	final := sdk.Errorf(sdk.InvalidArgument, "there is no such color")
	passing := sdk.Errorf(sdk.Unavailable, "gone for a moment")
	for name, c := range map[string]struct {
		method string
		errs   []error
		says   string   // of the failure; empty when the launch is to succeed
		calls  []string // of isolator bb, after Prepare of a
	}{
		"prepare":           {"Prepare", []error{final}, `isolator "bb": there is no such color`, []string{"bb.Prepare", "bb.Cleanup"}},
		"prepare, passing":  {"Prepare", []error{passing, passing}, "", []string{"bb.Prepare", "bb.Prepare", "bb.Prepare", "bb.Isolate", "bb.Cleanup"}},
		"isolate":           {"Isolate", []error{final}, `isolator "bb": there is no such color`, []string{"bb.Prepare", "bb.Isolate", "bb.Cleanup"}},
		"isolate, a bug":    {"Isolate", []error{errors.New("oops")}, `isolator "bb": oops`, []string{"bb.Prepare", "bb.Isolate", "bb.Cleanup"}},
		"cleanup, passing":  {"Cleanup", []error{passing}, "", []string{"bb.Prepare", "bb.Isolate", "bb.Cleanup", "bb.Cleanup"}},
		"cleanup, once bad": {"Cleanup", []error{final}, "", []string{"bb.Prepare", "bb.Isolate", "bb.Cleanup", "bb.Cleanup"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, b, j := withIsolators(t)
			b.failing(c.method, c.errs...)
			spec := r.shell("c", "true")
			r.c.Launch(context.Background(), spec)
			if c.says == "" {
				want[containerizer.Started](r, "c")
				want[containerizer.Exited](r, "c")
			} else if failed := want[containerizer.Failed](r, "c"); failed.Message != c.says {
				t.Errorf("message %q, want %q", failed.Message, c.says)
			}
			if cleaned := want[containerizer.Cleaned](r, "c"); cleaned.Err != nil {
				t.Error(cleaned.Err)
			}
			calls := slices.DeleteFunc(j.about("c"), func(l string) bool { return strings.HasPrefix(l, "a.") })
			if !slices.Equal(calls, c.calls) {
				t.Errorf("calls %v, want %v", calls, c.calls)
			}
			if got := j.about("c"); got[len(got)-1] != "a.Cleanup" {
				t.Errorf("the first isolator was not cleaned up last: %v", got)
			}
		})
	}
}

func TestIsolatorAway(t *testing.T) {
	t.Parallel()
	r, _, b, _ := withIsolators(t)
	b.failing("Prepare", slices.Repeat([]error{sdk.Errorf(sdk.Unavailable, "not there")}, 1000)...)
	r.c.Launch(context.Background(), r.shell("away", "true"))
	failed := want[containerizer.Failed](r, "away")
	if !strings.Contains(failed.Message, `isolator "bb"`) || !strings.Contains(failed.Message, "not there") {
		t.Errorf("message %q", failed.Message)
	}
	want[containerizer.Cleaned](r, "away")

	// Its end does not wait for the clean-up, which is owed until the isolator is back.
	absent := slices.Repeat([]error{sdk.Errorf(sdk.Unavailable, "not there")}, 1000)
	b.failing("Prepare", absent...)
	b.failing("Cleanup", absent...)
	began := time.Now()
	r.c.Launch(context.Background(), r.shell("owed", "true"))
	want[containerizer.Failed](r, "owed")
	if d := time.Since(began); d > 2500*time.Millisecond {
		t.Errorf("the failure was told after %v, the timeout is 500ms", d)
	}
	r.c.Destroy(context.Background(), "owed") // the agent has taken note
	if !checkpointed(r, "owed") {
		t.Error("nobody would know of the clean-up that is owed")
	}
	b.failing("Prepare", absent...)
	b.failing("Cleanup")
	want[containerizer.Cleaned](r, "owed")
	until(t, "it is forgotten", func() bool { return !checkpointed(r, "owed") })

	// Destroy ends the wait.
	r.c.Launch(context.Background(), r.shell("waiting", "true"))
	until(t, "the launch waits", func() bool {
		s, err := r.c.Status(context.Background(), []string{"waiting"})
		return err == nil && s["waiting"].Message == "isolator bb"
	})
	r.c.Destroy(context.Background(), "waiting")
	if failed := want[containerizer.Failed](r, "waiting"); failed.Reason != containerizer.Destroyed {
		t.Errorf("%+v", failed)
	}
	want[containerizer.Cleaned](r, "waiting")
}

func checkpointed(r *rig, id string) bool {
	return slices.ContainsFunc(r.store.checkpoints(), func(c containerizer.Checkpoint) bool { return c.ID == id })
}

func TestContradictions(t *testing.T) {
	t.Parallel()
	for name, plans := range map[string][2]isolator.Plan{
		"variable V":    {{Env: []string{"V=1"}}, {Env: []string{"V=2"}}},
		"mount at /mnt": {{Mounts: []isolator.Mount{{Destination: "/mnt", Type: "tmpfs"}}}, {Mounts: []isolator.Mount{{Destination: "/mnt", Type: "bind", Source: "/tmp"}}}},
		"network namespace": {
			{Namespaces: []isolator.Namespace{{Type: isolator.NetworkNamespace}}},
			{Namespaces: []isolator.Namespace{{Type: isolator.NetworkNamespace, Path: "/proc/1/ns/net"}}},
		},
		"limit RLIMIT_CORE": {{Rlimits: []isolator.Rlimit{{Type: "RLIMIT_CORE"}}}, {Rlimits: []isolator.Rlimit{{Type: "RLIMIT_CORE", Hard: 1}}}},
		"capabilities":      {{Capabilities: &isolator.Capabilities{}}, {Capabilities: &isolator.Capabilities{Bounding: []string{"CAP_KILL"}}}},
		"host name":         {{Hostname: "x"}, {Hostname: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, a, b, _ := withIsolators(t)
			a.plan, b.plan = plans[0], plans[1]
			r.c.Launch(context.Background(), r.shell("c", "true"))
			failed := want[containerizer.Failed](r, "c")
			if !strings.Contains(failed.Message, `isolators "a" and "bb" contradict each other about the `+name) {
				t.Errorf("message %q", failed.Message)
			}
			want[containerizer.Cleaned](r, "c")
		})
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	r, a, b, _ := withIsolators(t)
	a.plan = isolator.Plan{
		Hostname:   "inside",
		Mounts:     []isolator.Mount{{Destination: "/mnt", Type: "tmpfs", Source: "none", Options: []string{"size=1m", "nodev"}}},
		Namespaces: []isolator.Namespace{{Type: isolator.NetworkNamespace}},
		Prestart:   []isolator.Command{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo $V >/mnt/prestarted"}, Env: []string{"V=v"}}},
	}
	b.plan = isolator.Plan{
		Rlimits:      []isolator.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 64, Hard: 64}},
		Capabilities: &isolator.Capabilities{Bounding: []string{"CAP_KILL", "CAP_CHOWN"}, Permitted: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}, Inheritable: []string{"CAP_KILL"}, Ambient: []string{"CAP_KILL"}},
	}
	spec := r.shell("plan", "hostname; cat /mnt/prestarted; df -k /mnt | tail -1 | tr -s ' ' | cut -d' ' -f2; ls /sys/class/net; ulimit -n; grep Cap /proc/self/status")
	spec.User = "nobody"
	status, stdout, stderr := r.runToEnd(spec)
	wanted := "inside\nv\n1024\n"
	if status != 0 || !strings.HasPrefix(stdout, wanted) || !strings.Contains(stdout, "\n64\n") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	for _, line := range []string{
		"CapInh:\t0000000000000020", "CapPrm:\t0000000000000020", "CapEff:\t0000000000000020", "CapBnd:\t0000000000000021",
		"CapAmb:\t0000000000000020",
	} {
		if !strings.Contains(stdout, line) {
			t.Errorf("stdout %q lacks %q", stdout, line)
		}
	}
	a.plan = isolator.Plan{Prestart: []isolator.Command{{Path: "/bin/false", Args: []string{"false"}}}}
	r.c.Launch(context.Background(), r.shell("prestart", "true"))
	if failed := want[containerizer.Failed](r, "prestart"); !strings.Contains(failed.Message, "/bin/false") {
		t.Errorf("message %q", failed.Message)
	}
	want[containerizer.Cleaned](r, "prestart")
	a.plan = isolator.Plan{Mounts: []isolator.Mount{{Destination: "/no/such/place", Type: "tmpfs"}}}
	r.c.Launch(context.Background(), r.shell("mount", "true"))
	if failed := want[containerizer.Failed](r, "mount"); !strings.Contains(failed.Message, "/no/such/place") {
		t.Errorf("message %q", failed.Message)
	}
	want[containerizer.Cleaned](r, "mount")
}

func TestLimitation(t *testing.T) {
	t.Parallel()
	r, a, b, _ := withIsolators(t)
	mem, err := resource.New(resource.Resource{Name: "mem", Kind: resource.KindScalar, Scalar: 32000})
	if err != nil {
		t.Fatal(err)
	}
	reached := isolator.Limitation{Reason: isolator.LimitationMemory, Message: "all used up", Resources: mem}
	r.c.Launch(context.Background(), r.shell("eager", "sleep 1000"))
	want[containerizer.Started](r, "eager")
	until(t, "the watch", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.emit["eager"] != nil
	})
	if err := a.emit["eager"](reached); err != nil {
		t.Fatal(err)
	}
	wanted := containerizer.Limitation{Isolator: "a", Resource: "mem", Amount: 32000, Message: "all used up"}
	if e := want[containerizer.Limited](r, "eager"); e.Limitation != wanted {
		t.Errorf("got %+v, want %+v", e.Limitation, wanted)
	}
	if e := want[containerizer.Exited](r, "eager"); e.WaitStatus != 9 {
		t.Errorf("%+v", e)
	}
	want[containerizer.Cleaned](r, "eager")

	// A limit that the isolator finds only when it cleans up is still told before the end.
	b.mu.Lock()
	b.lastWish = &reached
	b.mu.Unlock()
	r.c.Launch(context.Background(), r.shell("late", "kill -9 $$"))
	want[containerizer.Started](r, "late")
	if e := want[containerizer.Limited](r, "late"); e.Limitation.Isolator != "bb" {
		t.Errorf("%+v", e)
	}
	want[containerizer.Exited](r, "late")
	want[containerizer.Cleaned](r, "late")
}

func TestUsageAndUpdate(t *testing.T) {
	t.Parallel()
	r, a, _, _ := withIsolators(t)
	ctx := context.Background()
	r.c.Launch(ctx, r.shell("u", "sleep 1000"))
	want[containerizer.Started](r, "u")
	usage, err := r.c.Usage(ctx, []string{"u", "unknown"})
	if err != nil || len(usage) != 1 || *usage["u"].Processes != 1 || *usage["u"].Threads != 2 {
		t.Errorf("usage %+v, %v", usage, err)
	}
	limits := map[string]resource.Limit{"mem": resource.Infinite()}
	if err := r.c.Update(ctx, "u", resource.Resources{}, limits); err != nil || !a.update["mem"].IsInfinite() {
		t.Errorf("update: %v, %v", err, a.update)
	}
	a.failing("Update", sdk.Errorf(sdk.ResourceExhausted, "no more"))
	if err := r.c.Update(ctx, "u", resource.Resources{}, limits); err == nil || !strings.Contains(err.Error(), `isolator "a": no more`) {
		t.Errorf("update: %v", err)
	}
	if err := r.c.Update(ctx, "unknown", resource.Resources{}, limits); !errors.Is(err, containerizer.ErrUnknownContainer) {
		t.Errorf("update: %v", err)
	}
}

func TestIsolatorRecovery(t *testing.T) {
	t.Parallel()
	r, a, b, j := withIsolators(t)
	r.c.Launch(context.Background(), r.shell("kept", "sleep 1000"))
	want[containerizer.Started](r, "kept")
	mine := isolator.Container{ID: "lost", Instance: r.config.Instance}
	a.mu.Lock()
	a.unknown = []isolator.Container{mine, {ID: "foreign", Instance: "somebody-else"}, {ID: "kept", Instance: r.config.Instance}}
	a.mu.Unlock()
	b.failing("Recover", sdk.Errorf(sdk.Unavailable, "wait"), errors.New("a bug"))
	r.restart()
	until(t, "the unknown container is cleaned up", func() bool { return slices.Equal(j.about("lost"), []string{"a.Cleanup"}) })
	if calls := j.about("foreign"); len(calls) > 0 {
		t.Errorf("another agent's container: %v", calls)
	}
	r.c.Destroy(context.Background(), "kept") // its cleanup waits until bb is recovered
	want[containerizer.Exited](r, "kept")
	want[containerizer.Cleaned](r, "kept")
	if len(b.known) != 1 || b.known[0].ID != "kept" || string(b.known[0].Handle.Data) != "bb/kept" || b.known[0].Handle.HandleVersion != 7 {
		t.Errorf("bb was told %+v", b.known)
	}
}
