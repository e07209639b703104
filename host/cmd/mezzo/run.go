package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/client"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

const runHelp = `Runs one command as a task, prints what it writes, and exits as it does. One argument is a shell's command line;
several are a program and its arguments. Ctrl-C kills the task and waits for its end, as does whoever reads the output by
closing it.

Exit codes: the command's own; 128 and the signal's number if a signal ended it; 130 after Ctrl-C; 125 if the task did
not run (no master answers, say), or ended for another reason (out of memory, say), which is printed.`

// exitNotRun is how `mezzo run` exits when its task has no status to exit with.
const exitNotRun = 125

// runFlags are what a task is made of.
type runFlags struct {
	cpus, mem, disk  float64
	name, user, role string
	env, uris        []string
	quiet            bool
}

func newRun(o *options) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run [flags] -- COMMAND [ARGUMENT...]", Short: "Run a command as a task", GroupID: "work", Long: runHelp,
		Args: args(cobra.MinimumNArgs(1)),
		Example: "  mezzo run --cpus 0.1 --mem 32 -- 'echo hello from $(hostname)'\n" +
			"  mezzo run --mem 512 --env N=3 -- 'for i in $(seq $N); do date; sleep 1; done'\n" +
			"  mezzo run --uri https://example.org/job.tar.gz -- ./job --fast",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			defer c.Close()
			task, err := f.task(a)
			if err != nil {
				return usageError{err}
			}
			r := &taskRun{client: c, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), quiet: f.quiet, done: make(chan struct{})}
			// Who does not want the output any more, as head does after some lines, does not want the task.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGPIPE)
			defer stop()
			return r.run(ctx, f.framework(o.principal), task)
		},
	}
	fl := cmd.Flags()
	fl.Float64Var(&f.cpus, "cpus", 0.1, "CPUs, in thousandths at the finest")
	fl.Float64Var(&f.mem, "mem", 32, "memory in MB")
	fl.Float64Var(&f.disk, "disk", 0, "disk in MB")
	fl.StringVar(&f.name, "name", "", "the task's name (default: the command's first word)")
	fl.StringVar(&f.user, "user", "", "user to run as (default: who you are)")
	fl.StringVar(&f.role, "role", "*", "role whose share of the cluster pays")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "variable for the command, NAME=VALUE (may be repeated)")
	fl.StringArrayVar(&f.uris, "uri", nil, "URI to fetch into the sandbox first; archives are unpacked (may be repeated)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but the command's output")
	return cmd
}

func (f *runFlags) framework(principal string) *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{
		Name: proto.String("mezzo run"), User: proto.String(f.effectiveUser()), Checkpoint: proto.Bool(true),
		Roles: []string{f.role}, Capabilities: []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
	if principal != "" {
		info.Principal = &principal
	}
	return info
}

func (f *runFlags) effectiveUser() string {
	if f.user != "" {
		return f.user
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

func (f *runFlags) task(command []string) (*mesos.TaskInfo, error) {
	name := f.name
	if name == "" {
		name = firstWord(command[0])
	}
	t := &mesos.TaskInfo{
		Name: &name, TaskId: &mesos.TaskID{Value: proto.String("run-" + uuid.NewString()[:13])},
		Command: &mesos.CommandInfo{Value: &command[0], Shell: proto.Bool(len(command) == 1)},
	}
	if len(command) > 1 {
		t.Command.Arguments = command
	}
	for _, r := range []struct {
		name   string
		amount float64
	}{{"cpus", f.cpus}, {"mem", f.mem}, {"disk", f.disk}} {
		if r.amount < 0 {
			return nil, fmt.Errorf("--%s cannot be negative", r.name)
		}
		if _, err := resource.ParseScalar(r.amount); err != nil {
			return nil, fmt.Errorf("--%s: %w", r.name, err)
		}
		if r.amount > 0 {
			t.Resources = append(t.Resources, &mesos.Resource{
				Name: &r.name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &r.amount},
			})
		}
	}
	for _, v := range f.env {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env %q is not NAME=VALUE", v)
		}
		if t.Command.Environment == nil {
			t.Command.Environment = &mesos.Environment{}
		}
		t.Command.Environment.Variables = append(t.Command.Environment.Variables, &mesos.Environment_Variable{Name: &name, Value: &value})
	}
	for _, u := range f.uris {
		t.Command.Uris = append(t.Command.Uris, &mesos.CommandInfo_URI{Value: &u})
	}
	return t, nil
}

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return words[0]
	}
	return "task"
}

// taskRun is a task under way and the copying of its output.
type taskRun struct {
	client   *client.Client
	out, err io.Writer
	quiet    bool

	copying sync.WaitGroup
	started bool
	done    chan struct{} // closed when the task has ended
}

func (r *taskRun) run(ctx context.Context, framework *mesos.FrameworkInfo, task *mesos.TaskInfo) error {
	// Output is copied to its end, whatever becomes of ctx.
	rest, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	status, err := r.client.Run(ctx, client.Job{
		Framework: framework, Task: task,
		Update:  func(s *mesos.TaskStatus) { r.update(rest, s) },
		Waiting: r.waiting,
	})
	close(r.done)
	r.copying.Wait()
	switch {
	case errors.Is(err, client.ErrKilled):
		r.say("interrupted; the task was killed")
		return exitError(exitInterrupted)
	case errors.Is(err, context.Canceled):
		r.say("interrupted before the task was launched")
		return exitError(exitInterrupted)
	case err != nil && r.started:
		fmt.Fprintf(r.err, "mezzo: the task was lost sight of and may run on; look for it with `mezzo ps`: %v\n", err)
		return exitError(exitNotRun)
	case err != nil:
		fmt.Fprintf(r.err, "mezzo: %v\n", err)
		return exitError(exitNotRun)
	}
	return r.exit(status)
}

// update begins to copy the output as soon as there is a sandbox.
func (r *taskRun) update(ctx context.Context, s *mesos.TaskStatus) {
	if r.started || client.IsTerminal(s.GetState()) {
		return
	}
	r.started = true
	id := s.GetTaskId().GetValue()
	r.say("task %s is on agent %s", id, s.GetAgentId().GetValue())
	task, err := r.client.FindTask(ctx, id, "")
	if err != nil {
		r.say("its output cannot be shown: %v", err)
		return
	}
	sandbox, err := r.client.Sandbox(ctx, task)
	if err != nil {
		r.say("its output cannot be shown: %v", err)
		return
	}
	for file, to := range map[string]io.Writer{"stdout": r.out, "stderr": r.err} {
		r.copying.Go(func() {
			if err := sandbox.Follow(ctx, to, file, 0, r.done); err != nil {
				r.say("%s is cut off: %v", file, err)
			}
		})
	}
}

// waiting tells, every few seconds, that no offer has room.
func (r *taskRun) waiting(since time.Duration, refused int) {
	if s := int(since.Seconds()); s > 0 && s%5 == 0 {
		r.say("waiting for resources for %d s; offers that were too small: %d", s, refused)
	}
}

func (r *taskRun) say(format string, a ...any) {
	if !r.quiet {
		fmt.Fprintf(r.err, "mezzo: "+format+"\n", a...)
	}
}

// exit turns the task's last status into the program's.
func (r *taskRun) exit(s *mesos.TaskStatus) error {
	code, ok := taskExit(s)
	if !ok {
		fmt.Fprintf(os.Stderr, "mezzo: the task ended in %s: %s\n", s.GetState(), firstLine(s.GetMessage()))
		return exitError(exitNotRun)
	}
	if code == 0 {
		return nil
	}
	return exitError(code)
}
