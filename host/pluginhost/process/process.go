package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
)

// Spec says how to run a binary.
type Spec struct {
	// Binary stays the caller's, and may be closed once Start has returned.
	Binary *Binary
	// Name is what the system calls the process; Linux keeps the first 15 bytes.
	Name string
	// LinkDir is a folder of this process's that the plugin's user may look into and not change; what is executed on
	// Linux is a symbolic link in it. It has to stay while the process is there.
	LinkDir string
	// Env is the whole environment.
	Env []string
	// User and Group are names or numbers; empty for the host's own.
	User  string
	Group string
	// Cgroup is what it is a member of from its first instruction; nil for the host's own.
	Cgroup *cgroup.Group
	// SocketDir is the one folder in which the plugin's sockets may be.
	SocketDir string
	// Stdout gets what the plugin prints after its first line, Stderr all of its standard error.
	Stdout io.Writer
	Stderr io.Writer
}

// Process is a running plugin program. Its methods are those that go-plugin wants of a runner.
type Process struct {
	spec  Spec
	creds *credentials

	cmd            *exec.Cmd
	group          group
	stdin          *os.File // the host's end: the plugin reads its end until the host is gone
	stdout, stderr *os.File

	// first carries the first line of stdout, and ends when the process does; nothing goes through quiet.
	// Reading these says nothing about descendants that hold the real pipes.
	first, quiet *lineBuffer

	exited chan struct{}
	status *os.ProcessState
	// outOfMemory says that the kernel has killed something in the cgroup for its memory.
	outOfMemory bool
	once        sync.Once

	mu      sync.Mutex  // guards what follows
	running *os.Process // nil before the start
	// reaped says that the process id may be another's by now: it is not signalled.
	reaped bool
	killed bool
	// network and address are where the plugin listens, once it has said so.
	network, address string
}

// New prepares a process: it looks up the user and group, and makes the socket folder theirs.
func New(spec Spec) (*Process, error) {
	creds, err := lookupCredentials(spec.User, spec.Group)
	if err != nil {
		return nil, err
	}
	if err := creds.own(spec.SocketDir); err != nil {
		return nil, fmt.Errorf("give the socket folder to the plugin's user: %w", err)
	}
	p := &Process{spec: spec, creds: creds, exited: make(chan struct{})}
	p.first, p.quiet = newLineBuffer(), newLineBuffer()
	return p, nil
}

// drainGrace is how long output is read on after the process has ended, since a descendant may hold the
// pipes open for ever.
const drainGrace = 250 * time.Millisecond

// Start runs the program. The context only bounds starting.
func (p *Process) Start(context.Context) (err error) {
	child, err := p.pipes()
	defer func() {
		for _, f := range child {
			f.Close()
		}
		if err != nil {
			p.abandon()
		}
	}()
	if err != nil {
		return err
	}
	p.cmd = &exec.Cmd{
		Args: []string{p.spec.Binary.Path}, Env: p.spec.Env,
		Stdin: child[0], Stdout: child[1], Stderr: child[2],
	}
	opened, err := execute(p.cmd, p.spec.Binary, filepath.Join(p.spec.LinkDir, p.spec.Name))
	child = append(child, opened...)
	if err != nil {
		return err
	}
	p.creds.apply(p.cmd)
	if err := p.begin(); err != nil {
		return p.spec.Binary.explainExecute(err)
	}
	p.mu.Lock()
	p.running = p.cmd.Process
	p.mu.Unlock()
	var drained sync.WaitGroup
	drained.Go(func() { drain(p.stdout, &firstLine{first: p.first, rest: p.spec.Stdout}) })
	drained.Go(func() { drain(p.stderr, p.spec.Stderr) })
	go p.await(&drained)
	if err := p.spec.Binary.unchanged(); err != nil {
		_ = p.Kill(context.Background())
		<-p.exited
		return err
	}
	return nil
}

// begin starts the program, in its cgroup where there is one.
func (p *Process) begin() error {
	if p.spec.Cgroup != nil {
		return p.spec.Cgroup.Start(p.cmd, p.group.start)
	}
	return p.group.start(p.cmd)
}

// pipes makes the standard streams and returns the plugin's ends.
func (p *Process) pipes() (child []*os.File, err error) {
	in, stdin, err := os.Pipe()
	if err != nil {
		return child, err
	}
	p.stdin, child = stdin, append(child, in)
	for _, host := range []**os.File{&p.stdout, &p.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return child, err
		}
		*host, child = r, append(child, w)
	}
	return child, nil
}

// abandon releases what a failed start has left.
func (p *Process) abandon() {
	p.once.Do(func() {
		for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
			if f != nil {
				f.Close()
			}
		}
		p.first.Close()
		p.quiet.Close()
		close(p.exited)
	})
}

// await waits for the process itself, not for its pipes: a descendant that holds them would hide its end.
func (p *Process) await(drained *sync.WaitGroup) {
	p.group.wait(p.cmd.Process)
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	p.group.close()
	_ = p.cmd.Wait()
	p.status = p.cmd.ProcessState
	p.outOfMemory = p.spec.Cgroup != nil && p.spec.Cgroup.OutOfMemory()
	deadline := time.Now().Add(drainGrace)
	_ = p.stdout.SetReadDeadline(deadline)
	_ = p.stderr.SetReadDeadline(deadline)
	drained.Wait()
	p.abandon()
}

// Exited is closed when the process has ended and been reaped, and what it printed has been taken in.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitText says how the process ended, such as "exit status 2" or "signal: killed", and whether that was for want of
// memory in its cgroup. It is valid once Exited is closed.
func (p *Process) ExitText() string {
	if p.status == nil {
		return "not started"
	}
	if p.outOfMemory && killedBySystem(p.status) && !p.Killed() {
		return p.status.String() + ", since its cgroup ran out of memory"
	}
	return p.status.String()
}

// Killed says whether Kill was called before the process ended.
func (p *Process) Killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// Wait waits for the end.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		if p.status == nil {
			return errNotStarted
		}
		if !p.status.Success() {
			return fmt.Errorf("%s", p.status)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Terminate asks the process and its group to end. Where there is no signal for that, it is told that its host is gone.
func (p *Process) Terminate() error {
	if !terminationSignal {
		return p.stdin.Close()
	}
	return p.signal(false)
}

// Kill ends the process and its group at once. It does not wait.
func (p *Process) Kill(context.Context) error { return p.signal(true) }

func (p *Process) signal(kill bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil || p.reaped {
		return nil
	}
	p.killed = p.killed || kill
	return p.group.signal(p.running, kill)
}

// Stdout gives the first line that the plugin prints.
func (p *Process) Stdout() io.ReadCloser { return p.first }

// Stderr gives nothing, and ends with the process; Spec.Stderr gets what is printed.
func (p *Process) Stderr() io.ReadCloser { return p.quiet }

// Name is the program's path.
func (p *Process) Name() string { return p.spec.Binary.Path }

// ID is the process id in decimal, empty before the start.
func (p *Process) ID() string {
	if pid := p.PID(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// PID is the process id, 0 before the start.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Pid
}

// UID is the user id that the process runs as.
func (p *Process) UID() int { return p.creds.uid }

// Diagnose has nothing to add: what the plugin printed is in the log.
func (p *Process) Diagnose(context.Context) string { return "" }

// Own gives a folder to the user that the process runs as.
func (p *Process) Own(dir string) error { return p.creds.own(dir) }
