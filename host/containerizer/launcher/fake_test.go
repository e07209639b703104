//go:build linux

package launcher_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// fake is an isolator that launches nothing, and does as it is told. Its containers end when a test says so.
type fake struct {
	name  string
	quiet bool // it does not launch
	late  bool // its Watch comes when Cleanup has begun, and finds nothing
	plan  isolator.Plan

	mu    sync.Mutex
	calls []string
	errs  map[string]error // by method: what it answers
	pid   int
	spec  isolator.Spec // of the last Launch
	got   isolator.Plan
	bugs  []string
	ends  map[string]chan isolator.ExitStatus
	gone  chan struct{} // closed by Cleanup
}

func newFake(name string) *fake {
	return &fake{name: name, errs: map[string]error{}, ends: map[string]chan isolator.ExitStatus{}, gone: make(chan struct{})}
}

func (f *fake) note(method, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, f.name+"."+method+" "+id)
	return f.errs[method]
}

func (f *fake) answering(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs[method] = err
}

func (f *fake) noted(call string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.calls, call)
}

// called is what was called so far.
func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// launched is what the last Launch was called with.
func (f *fake) launched() (isolator.Spec, isolator.Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spec, f.got
}

// saying has Launch answer a process.
func (f *fake) saying(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pid = pid
}

// end is where a container's end is told.
func (f *fake) end(id string) chan isolator.ExitStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ends[id] == nil {
		f.ends[id] = make(chan isolator.ExitStatus, 100)
	}
	return f.ends[id]
}

func (f *fake) Recover(_ context.Context, _ string, _ []isolator.Container) ([]isolator.Container, error) {
	return nil, f.note("Recover", "")
}

func (f *fake) Prepare(_ context.Context, s isolator.Spec) (isolator.Plan, error) {
	return f.plan, f.note("Prepare", s.Container.ID)
}

func (f *fake) Isolate(_ context.Context, c isolator.Container, pid int) error {
	return f.note("Isolate", fmt.Sprint(c.ID, " ", pid))
}

func (f *fake) Watch(ctx context.Context, _ isolator.Container, _ func(isolator.Limitation) error) error {
	if f.late {
		<-f.gone
		return sdk.Errorf(sdk.NotFound, "there is no such container")
	}
	<-ctx.Done()
	return nil
}

func (f *fake) Update(context.Context, isolator.Container, resource.Resources, map[string]resource.Limit) error {
	return nil
}

func (f *fake) Usage(context.Context, []isolator.Container) (map[string]isolator.Usage, error) {
	return nil, nil
}

func (f *fake) Status(context.Context, []isolator.Container) (map[string]isolator.Status, error) {
	return nil, nil
}

func (f *fake) Cleanup(_ context.Context, c isolator.Container) error {
	if f.late {
		close(f.gone)
		time.Sleep(50 * time.Millisecond) // so that Watch is heard first
	}
	return f.note("Cleanup", c.ID)
}

func (f *fake) Launches() bool { return !f.quiet }

func (f *fake) Launch(_ context.Context, s isolator.Spec, p isolator.Plan) (int, error) {
	err := f.note("Launch", s.Container.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec, f.got = s, p
	return f.pid, err
}

func (f *fake) Start(_ context.Context, c isolator.Container) error { return f.note("Start", c.ID) }

func (f *fake) Wait(ctx context.Context, c isolator.Container) (isolator.ExitStatus, error) {
	if err := f.note("Wait", c.ID); err != nil {
		return isolator.ExitStatus{}, err
	}
	select {
	case s := <-f.end(c.ID):
		return s, nil
	case <-ctx.Done():
		return isolator.ExitStatus{}, ctx.Err()
	}
}

func (f *fake) Signal(_ context.Context, c isolator.Container, signal int) error {
	err := f.note("Signal", fmt.Sprint(c.ID, " ", signal))
	if err == nil && signal == int(syscall.SIGKILL) {
		f.end(c.ID) <- isolator.ExitStatus{Signal: signal, Known: true}
	}
	return err
}

func (f *fake) Bug(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bugs = append(f.bugs, err.Error())
	return err
}

func (f *fake) bug() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.bugs, "; ")
}
