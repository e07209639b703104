//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// withSlowPlugin is a configuration for mezzo local whose allocator takes for ever to start, and the file that it makes
// when it is about to.
func withSlowPlugin(t *testing.T) (config, started string) {
	t.Helper()
	c := newCluster(t, site{})
	started = filepath.Join(c.dir, "started")
	slow := write(t, c.dir, "slow", "#!/bin/sh\n: >"+started+"\nexec sleep 1000\n")
	if err := os.Chmod(slow, 0o755); err != nil {
		t.Fatal(err)
	}
	return write(t, c.dir, "local.hcl", fmt.Sprintf(`
master {
  data_dir = %q
}
agent {
  work_dir = %q
}
plugin "allocator" "slow" {
  binary = %q
}
`, filepath.Join(c.dir, "master"), c.agents[0].workDir(), slow)), started
}

// awaitFile waits until a file is there.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	eventually(t, path+" is there", func() error {
		_, err := os.Stat(path)
		return err
	})
}

// A daemon whose plugins are being started survives SIGHUP, and ends well when it is told to.
func TestSignalsWhileStarting(t *testing.T) {
	t.Parallel()
	config, started := withSlowPlugin(t)
	d := newDaemon(t, "local", filepath.Dir(config), "local", config)
	d.start()
	awaitFile(t, started)
	d.signal(syscall.SIGHUP)
	d.end(syscall.SIGTERM)
	if !strings.Contains(d.output(), "stopped before it was up") {
		t.Error("the log does not say that it was stopped")
	}
	if left, _ := filepath.Glob("/run/mezzo/*.plugins/*/allocator-slow"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A command that is interrupted says so, and leaves nothing, whatever the signal.
func TestCommandInterrupted(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		config, started := withSlowPlugin(t)
		temp, err := os.MkdirTemp("", "temp") // the test's own has too long a name for sockets
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(temp) })
		var out strings.Builder
		cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), "config", "validate", config)
		cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, append(environment(), "TMPDIR="+temp)
		if err := suite.family.Start(cmd); err != nil {
			t.Fatal(err)
		}
		awaitFile(t, started)
		if err := cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
		_ = suite.family.Wait(cmd)
		if cmd.ProcessState.ExitCode() != 130 || out.String() != "mezzo: interrupted\n" {
			t.Errorf("%v: %v, %s", s, cmd.ProcessState, &out)
		}
		if left, _ := filepath.Glob(temp + "/*"); len(left) > 0 {
			t.Errorf("%v: %v is left", s, left)
		}
	}
}
