//go:build unix

package isolator

import (
	"errors"
	"strings"
	"testing"

	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// TestFacts asks what a plugin is to its agent.
func TestFacts(t *testing.T) {
	t.Parallel()
	if f, err := start(t, "good").Facts(t.Context()); err != nil || f.Launches || !f.Contributes.IsEmpty() {
		t.Errorf("of an isolator: %+v, %v", f, err)
	}
	if f, err := start(t, "earlywait").Facts(t.Context()); err != nil || !f.Launches || f.Contributes.String() != "widgets:4" {
		t.Errorf("of a launcher: %+v, %v", f, err)
	}
	f := start(t, "nonsense")
	if _, err := f.Facts(t.Context()); err == nil || !strings.Contains(err.Error(), `isolator "test": the plugin breaks its contract: what it contributes`) {
		t.Errorf("a reserved contribution gives %v", err)
	}
	if n := f.plugin.Status().Bugs; n != 1 {
		t.Errorf("%d bugs", n)
	}
}

// TestHold: a later process that is something else is not used.
func TestHold(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "earlywait"), t.Context()
	if err := f.Hold(ctx, func(Facts) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	before := f.plugin.Status().PID
	if err := f.Hold(ctx, func(Facts) error { return errors.New("it has changed") }); err == nil {
		t.Error("the present process is not judged")
	}
	if err := f.host.Reload(ctx, f.spec); err == nil || !strings.Contains(err.Error(), "it has changed") {
		t.Errorf("a reload gives %v", err)
	}
	if now := f.plugin.Status().PID; now != before {
		t.Errorf("the process was %d, now %d", before, now)
	}
	if err := f.Hold(ctx, func(x Facts) error {
		if x.Contributes.String() != "widgets:4" || !x.Launches {
			return errors.New("it is not told")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.killed()
}

func TestWrongPid(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "wrongpid"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Launch(ctx, contract.Spec{Container: container("c1")}, contract.Plan{}); err == nil || !strings.Contains(err.Error(), "breaks its contract") {
		t.Errorf("Launch: %v", err)
	}
	if n := f.plugin.Status().Bugs; n != 1 {
		t.Errorf("%d bugs", n)
	}
}

// TestLauncherCalls makes every call of a launcher.
func TestLauncherCalls(t *testing.T) {
	t.Parallel()
	f, ctx := start(t, "earlywait"), t.Context()
	if _, err := f.Recover(ctx, "agent-1", nil); err != nil {
		t.Fatal(err)
	}
	c := container("c1")
	pid, err := f.Launch(ctx, contract.Spec{Container: c}, contract.Plan{})
	if err != nil || pid <= 1 {
		t.Fatalf("%d, %v", pid, err)
	}
	if again, err := f.Launch(ctx, contract.Spec{Container: c}, contract.Plan{}); err != nil || again != pid {
		t.Errorf("launched again: %d, %v", again, err)
	}
	if err := f.Start(ctx, c); err != nil {
		t.Error(err)
	}
	if err := f.Signal(ctx, c, 15); err != nil {
		t.Error(err)
	}
	if s, err := f.Wait(ctx, c); err != nil || !s.Known {
		t.Errorf("%+v, %v", s, err)
	}
	if err := f.Cleanup(ctx, c); err != nil {
		t.Error(err)
	}
}

func TestCheckContributed(t *testing.T) {
	t.Parallel()
	if err := checkContributed(mustParse(t, "gpus:4;slots:[1-3];names:{a,b}", "*")); err != nil {
		t.Error(err)
	}
	allocated := mustParse(t, "gpus:4", "*").Allocate("ops")
	shared := `[{"name":"disk","type":"SCALAR","scalar":{"value":5},"disk":{"persistence":{"id":"x"},"volume":{"container_path":"p","mode":"RW"}}}]`
	for name, bad := range map[string]resource.Resources{
		"reserved": mustParse(t, "gpus(ops):4", "*"), "allocated": allocated, "long": mustParse(t, strings.Repeat("x", 5000)+":1", "*"),
		"volume":    mustParse(t, shared, "ops"),
		"revocable": mustParse(t, `[{"name":"cpus","type":"SCALAR","scalar":{"value":5},"revocable":{}}]`, "*"),
	} {
		if checkContributed(bad) == nil {
			t.Errorf("%s: %.100s is taken", name, bad)
		}
	}
}

func mustParse(t *testing.T, text, role string) resource.Resources {
	t.Helper()
	r, err := resource.Parse(text, role)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
