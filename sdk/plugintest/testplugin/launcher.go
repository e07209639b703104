package main

import (
	"context"
	"os"
	"os/exec"
	"sync"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// testLauncher starts containers and brings resources, and lies about one thing.
type testLauncher struct {
	*testIsolator
	mode string

	mu       sync.Mutex
	commands map[string]*exec.Cmd
}

func newLauncher(mode string) func(context.Context, sdk.Host, Config) (*testLauncher, error) {
	return func(ctx context.Context, h sdk.Host, c Config) (*testLauncher, error) {
		i, err := newIsolator("good")(ctx, h, c)
		return &testLauncher{testIsolator: i, mode: mode, commands: map[string]*exec.Cmd{}}, err
	}
}

// Resources has something that is a role's already, in the mode for that.
func (t *testLauncher) Resources(context.Context) (resource.Resources, error) {
	role := "*"
	if t.mode == "nonsense" {
		role = "ops"
	}
	return resource.Parse("widgets:4", role)
}

func (t *testLauncher) Launch(_ context.Context, s isolator.Spec, _ isolator.Plan) (int, error) {
	if t.mode == "wrongpid" {
		return os.Getpid(), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if cmd := t.commands[s.Container.ID]; cmd != nil {
		return cmd.Process.Pid, nil
	}
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	t.commands[s.Container.ID] = cmd
	return cmd.Process.Pid, nil
}

func (t *testLauncher) Start(context.Context, isolator.Container) error { return nil }

// Wait says that all has ended well, whatever is the case.
func (t *testLauncher) Wait(context.Context, isolator.Container) (isolator.ExitStatus, error) {
	return isolator.ExitStatus{Known: true}, nil
}

func (t *testLauncher) Signal(context.Context, isolator.Container, int) error { return nil }

func (t *testLauncher) Exec(context.Context, isolator.Container, isolator.Exec) (isolator.ExitStatus, error) {
	return isolator.ExitStatus{}, sdk.Errorf(sdk.Unimplemented, "nothing is run within a container")
}

func (t *testLauncher) Cleanup(ctx context.Context, c isolator.Container) error {
	t.mu.Lock()
	cmd := t.commands[c.ID]
	delete(t.commands, c.ID)
	t.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return t.testIsolator.Cleanup(ctx, c)
}
