//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/test/leak"
)

// patience is how long a test waits for what should come soon. It is generous: the machine may be busy.
const patience = 40 * time.Second

// eventually waits until check returns nil, and fails the test with its last error otherwise.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	within(t, patience, what, check)
}

func within(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// meanwhile checks again and again for a while that something stays as it is.
func meanwhile(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := check(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// daemon is a program that runs in the background and can be started again.
type daemon struct {
	t    *testing.T
	name string // for messages
	args []string
	log  string   // file that its output goes to
	env  []string // beside that of all daemons

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the present process has ended
}

// newDaemon prepares `mezzo args...`. At the end of the test its output is shown if the test has failed.
func newDaemon(t *testing.T, name, dir string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, name: name, args: args, log: filepath.Join(dir, name+".log")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s's log ends:\n%s", name, tail(d.output(), 6000))
		}
	})
	return d
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (d *daemon) start() {
	d.t.Helper()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(suite.bin, "mezzo"), d.args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(environment(), d.env...)
	if err := suite.family.Start(cmd); err != nil {
		d.t.Fatalf("start %s: %v", d.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = suite.family.Wait(cmd) // how it ended is in cmd.ProcessState
		close(done)
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd, d.done = cmd, done
}

// environment is the programs': this one's, with a folder of the suite's for temporary files.
func environment() []string {
	env := []string{"TMPDIR=" + suite.temp}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "TMPDIR" && !strings.HasPrefix(name, "MEZZO_") {
			env = append(env, v)
		}
	}
	return env
}

func (d *daemon) process() (*exec.Cmd, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cmd, d.done
}

func (d *daemon) pid() int {
	cmd, _ := d.process()
	return cmd.Process.Pid
}

func (d *daemon) running() bool {
	cmd, done := d.process()
	if cmd == nil {
		return false
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// signal sends a signal to the present process.
func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	cmd, _ := d.process()
	if err := cmd.Process.Signal(s); err != nil {
		d.t.Errorf("send %v to %s: %v", s, d.name, err)
	}
}

// kill ends the process by SIGKILL and waits until it is gone.
func (d *daemon) kill() {
	d.t.Helper()
	d.signal(syscall.SIGKILL)
	d.wait()
}

// end asks the process to end and waits; it must end well.
func (d *daemon) end(s syscall.Signal) {
	d.t.Helper()
	d.signal(s)
	d.wait()
	cmd, _ := d.process()
	if !cmd.ProcessState.Success() {
		d.t.Errorf("%s, asked to end by %v: %s", d.name, s, cmd.ProcessState)
	}
}

// wait waits until the process has ended. One that does not is killed, and fails the test.
func (d *daemon) wait() {
	d.t.Helper()
	cmd, done := d.process()
	select {
	case <-done:
	case <-time.After(patience):
		d.t.Errorf("%s did not end within %v; it is killed", d.name, patience)
		_ = cmd.Process.Signal(syscall.SIGQUIT) // its stacks go to the log
		time.Sleep(time.Second)
		_ = cmd.Process.Kill()
		<-done
	}
}

func (d *daemon) output() string {
	data, err := os.ReadFile(d.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Error(err)
	}
	return string(data)
}

// result is how a command went.
type result struct {
	stdout, stderr string
	status         int
}

func (r result) String() string {
	return fmt.Sprintf("exit status %d\nstdout: %s\nstderr: %s", r.status, r.stdout, r.stderr)
}

// command runs a program of bin/ to its end.
func command(t *testing.T, program string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(suite.bin, program), args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, environment()
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = suite.family.Wait(cmd) // the status says it
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// look describes a process that must be there.
func look(t *testing.T, pid int) leak.Process {
	t.Helper()
	p, err := leak.Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// descendants are the processes below one, of which the command line begins with a text.
func descendants(t *testing.T, of int, command string) []leak.Process {
	t.Helper()
	all, err := leak.Descendants(of)
	if err != nil {
		t.Fatal(err)
	}
	var out []leak.Process
	for _, p := range all {
		if strings.HasPrefix(p.Command, command) {
			out = append(out, p)
		}
	}
	return out
}

// gone waits until none of the processes is there.
func gone(t *testing.T, pids []int) {
	t.Helper()
	eventually(t, "the processes are gone", func() error {
		for _, pid := range pids {
			if p, err := leak.Look(pid); err == nil {
				return fmt.Errorf("process %s is there", p)
			}
		}
		return nil
	})
}
