package plugintest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/resourceconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// serves tells whether the plugin says that it serves a service.
func (p *plugin) serves(service string) bool {
	return slices.Contains(p.describe().GetServices(), service)
}

func checkContributed(b *bench) {
	dir := b.dataDir()
	p := b.ready(dir)
	if !p.serves(isolatorv1.ContributorService_ServiceDesc.ServiceName) {
		b.skip("it contributes no resources")
	}
	first := p.contributed()
	for r := range first.All() {
		if len(r.Reservations) > 0 || r.Role != "" || r.Disk != nil || r.Shared || r.Revocable || r.Provider != "" {
			b.errorf("it contributes %s, and may contribute what is unreserved, not allocated, and no volume, alone", r)
		}
	}
	if again := p.contributed(); !again.Equal(first) {
		b.errorf("it contributes %s, and asked again %s", first, again)
	}
	p.kill()
	if after := b.ready(dir).contributed(); !after.Equal(first) {
		b.errorf("it contributes %s, and after a restart %s", first, after)
	}
}

func (p *plugin) contributed() resource.Resources {
	ctx, cancel := p.bench.call()
	defer cancel()
	response, err := isolatorv1.NewContributorServiceClient(p.conn).Resources(ctx, &isolatorv1.ResourcesRequest{})
	if err != nil {
		p.bench.fatalf("Resources: %v", err)
	}
	all, err := resourceconv.FromProto(response.GetResources())
	if err != nil {
		p.bench.fatalf("what it contributes cannot be read: %v", err)
	}
	return all
}

// launcherPlugin is an isolatorPlugin that starts containers.
type launcherPlugin struct {
	*isolatorPlugin
	launcher isolatorv1.LauncherServiceClient
}

// launched is a container that was launched, and what is known of it.
type launched struct {
	*isolatorv1.Container
	request *isolatorv1.LaunchRequest
	sandbox string
	first   child // its first process; none when this machine has none
}

func (b *bench) launcher(dir, instance string, known ...*isolatorv1.Container) *launcherPlugin {
	p, unknown := b.isolator(dir, instance, known...)
	if !p.serves(isolatorv1.LauncherService_ServiceDesc.ServiceName) {
		b.skip("it starts no containers")
	}
	if len(unknown) > 0 {
		b.errorf("Recover returns containers that the agent has cleaned up: %v", unknown)
	}
	return &launcherPlugin{p, isolatorv1.NewLauncherServiceClient(p.conn)}
}

// launch prepares and launches a container whose command is a line of shell. It is held then.
func (p *launcherPlugin) launch(line string) *launched {
	b := p.bench
	shell, err := exec.LookPath("sh")
	if err != nil {
		b.skip("there is no `sh` to be run on this machine")
	}
	c := &launched{Container: p.newContainer(), sandbox: b.dataDir()}
	for _, name := range []string{"stdout", "stderr"} {
		if err := os.WriteFile(filepath.Join(c.sandbox, name), nil, 0o600); err != nil {
			b.fatalf("%v", err)
		}
	}
	s := spec(c.Container, c.sandbox)
	s.Path, s.Args, s.Env = shell, []string{"sh", "-c", line}, []string{"PATH=" + os.Getenv("PATH"), "KIT=kit"}
	ctx, cancel := b.call()
	defer cancel()
	prepared, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: s})
	if err != nil {
		b.fatalf("Prepare: %v", err)
	}
	p.store(c.Container, prepared.GetPlan())
	c.request = &isolatorv1.LaunchRequest{OperationId: rand.Text(), Spec: s, Plan: &isolatorv1.Plan{}}
	pid := p.repeatLaunch(c)
	if pid != 0 {
		c.first = newChild(pid)
		// A container outlives the plugin, so it is ended whatever becomes of the check.
		b.onEnd(func() {
			for _, below := range descendants(pid) {
				newChild(below).kill()
			}
			c.first.kill()
		})
		if !c.first.running() || pid == 1 || pid == os.Getpid() || pid == p.cmd.Process.Pid {
			b.fatalf("Launch says that the container's first process is %d, which is not there, or is not the container's", pid)
		}
	}
	return c
}

func (p *launcherPlugin) repeatLaunch(c *launched) int {
	ctx, cancel := p.bench.call()
	defer cancel()
	response, err := p.launcher.Launch(ctx, c.request)
	if err != nil {
		p.bench.fatalf("Launch: %v", err)
	}
	return int(response.GetPid())
}

func (p *launcherPlugin) start(c *launched) {
	p.isolate(c.Container, c.first.pid)
	ctx, cancel := p.bench.call()
	defer cancel()
	if _, err := p.launcher.Start(ctx, &isolatorv1.StartRequest{OperationId: rand.Text(), Container: c.Container}); err != nil {
		p.bench.fatalf("Start: %v", err)
	}
}

// begin opens a Wait; what it brings is sent.
func (p *launcherPlugin) begin(c *launched) <-chan waited {
	answer := make(chan waited, 1)
	go func() {
		ctx, cancel := context.WithCancel(p.bench.ctx)
		defer cancel()
		var w waited
		stream, err := p.launcher.Wait(ctx, &isolatorv1.WaitRequest{Container: c.Container})
		if err == nil {
			var response *isolatorv1.WaitResponse
			response, err = stream.Recv()
			w.status = response.GetStatus()
		}
		w.err = err
		answer <- w
	}()
	return answer
}

type waited struct {
	status *isolatorv1.ExitStatus
	err    error
}

// runs fails unless Wait goes on for a while.
func (p *launcherPlugin) runs(wait <-chan waited) {
	select {
	case w := <-wait:
		p.bench.fatalf("Wait says that a container which runs has ended: %v %v", w.status, w.err)
	case <-time.After(300 * time.Millisecond):
	}
}

// ends waits for a container's end, which must be as it was made to be.
func (p *launcherPlugin) ends(c *launched, wait <-chan waited, code, signal int32) {
	b := p.bench
	select {
	case w := <-wait:
		if w.err != nil || !w.status.GetKnown() || w.status.GetCode() != code || w.status.GetSignal() != signal {
			b.errorf("Wait says %v (%v) of a container that has ended with code %d and signal %d", w.status, w.err, code, signal)
		}
	case <-time.After(b.Timeout):
		b.fatalf("Wait says nothing %v after the container's end", b.Timeout)
	}
	b.eventually("the container's first process is gone", func() bool { return !c.first.running() })
}

func (p *launcherPlugin) signal(c *launched, number int32) {
	ctx, cancel := p.bench.call()
	defer cancel()
	_, err := p.launcher.Signal(ctx, &isolatorv1.SignalRequest{OperationId: rand.Text(), Container: c.Container, Signal: number})
	if err != nil {
		p.bench.fatalf("Signal %d: %v", number, err)
	}
}

// forget cleans a container up; nothing of it may be left.
func (p *launcherPlugin) forget(c *launched) {
	p.cleanup(c.Container)
	p.bench.eventually("after Cleanup the container's first process is gone", func() bool { return !c.first.running() })
	select {
	case w := <-p.begin(c):
		if status.Code(w.err) != codes.NotFound {
			p.bench.errorf("Wait of a container that was cleaned up gives %v %v, and should give NOT_FOUND", w.status, w.err)
		}
	case <-time.After(p.bench.Timeout):
		p.bench.errorf("Wait of a container that was cleaned up says nothing, and should give NOT_FOUND")
	}
}

// crash kills the plugin, and nothing that it has started.
func (p *plugin) crash() {
	killGroup(p.cmd.Process)
	<-p.exited
	p.stdin.Close()
}

func (c *launched) output(name string) string {
	text, _ := os.ReadFile(filepath.Join(c.sandbox, name)) // what is not there is not the output
	return string(text)
}

func checkLaunched(b *bench) {
	p := b.launcher(b.dataDir(), newInstance())
	c := p.launch(`echo "$KIT"; echo aside >&2; exit 7`)
	wait := p.begin(c)
	p.runs(wait)
	if out := c.output("stdout"); out != "" {
		b.errorf("the command has run before Start: it wrote %q", out)
	}
	p.start(c)
	p.start(c)
	p.ends(c, wait, 7, 0)
	p.start(c)
	p.ends(c, p.begin(c), 7, 0)
	if out, aside := c.output("stdout"), c.output("stderr"); out != "kit\n" || aside != "aside\n" {
		b.errorf("the output is %q and %q in stdout and stderr, and should be %q and %q", out, aside, "kit\n", "aside\n")
	}
	p.forget(c)
}

// checkHeld launches again what is launched, also in another process of the plugin, and cleans up what is held and what
// runs.
func checkHeld(b *bench) {
	dir, instance := b.dataDir(), newInstance()
	p := b.launcher(dir, instance)
	c, runs := p.launch("echo ran; sleep 1000"), p.launch("sleep 1000 & sleep 1000")
	p.start(runs)
	same := func(what string) {
		if pid := p.repeatLaunch(c); pid != c.first.pid {
			b.errorf("%s says that the first process is %d, and said %d", what, pid, c.first.pid)
		}
	}
	same("Launch with the same operation_id")
	c.request.OperationId = rand.Text()
	same("Launch of the same container by another operation")
	p.crash()
	p = b.launcher(dir, instance, c.Container, runs.Container)
	same("after a restart Launch")
	if out := c.output("stdout"); out != "" {
		b.errorf("the command has run without Start: it wrote %q", out)
	}
	p.forget(c)
	p.forget(runs)
	p.crash()
	b.launcher(dir, instance)
}

func checkSignals(b *bench) {
	const term, kill = 15, 9
	p := b.launcher(b.dataDir(), newInstance())
	asked, deaf, never := p.launch("exec sleep 1000"), p.launch(`trap "" TERM; echo deaf; sleep 1000`), p.launch("echo ran")
	for _, c := range []*launched{asked, deaf} {
		p.start(c)
	}
	waits := []<-chan waited{p.begin(asked), p.begin(deaf), p.begin(never)}
	b.eventually("the command runs", func() bool { return deaf.output("stdout") != "" })
	p.runs(waits[0])
	p.signal(asked, term)
	p.ends(asked, waits[0], 0, term)
	p.signal(deaf, term)
	p.runs(waits[1])
	p.signal(deaf, kill)
	p.ends(deaf, waits[1], 0, kill)
	p.signal(never, kill)
	select {
	case <-waits[2]:
	case <-time.After(b.Timeout):
		b.errorf("SIGKILL does not end a container that is held")
	}
	ctx, cancel := b.call()
	defer cancel()
	_, err := p.launcher.Signal(ctx, &isolatorv1.SignalRequest{OperationId: rand.Text(), Container: asked.Container, Signal: term})
	if err != nil && status.Code(err) != codes.NotFound {
		b.errorf("Signal to a container that has ended gives %v, and should give NOT_FOUND", err)
	}
	for _, c := range []*launched{asked, deaf, never} {
		p.forget(c)
	}
	if out := never.output("stdout"); out != "" {
		b.errorf("a command that was killed before Start has run: it wrote %q", out)
	}
}

// checkOutlives kills the plugin under containers that run, are held, and end meanwhile.
func checkOutlives(b *bench) {
	dir, instance := b.dataDir(), newInstance()
	p := b.launcher(dir, instance)
	gate := filepath.Join(b.dataDir(), "open")
	runs, ends, held := p.launch("exec sleep 1000"), p.launch("until [ -e "+gate+" ]; do sleep 0.05; done; exit 5"), p.launch("exit 6")
	p.start(runs)
	p.start(ends)
	p.crash()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		b.fatalf("%v", err)
	}
	if runs.first.pid != 0 && !runs.first.running() {
		b.errorf("the container has ended with the plugin")
	}
	b.eventually("a container ends without the plugin", func() bool { return !ends.first.running() })
	p = b.launcher(dir, instance, runs.Container, ends.Container, held.Container)
	p.ends(ends, p.begin(ends), 5, 0)
	p.start(held)
	p.ends(held, p.begin(held), 6, 0)
	p.start(runs)
	wait := p.begin(runs)
	p.runs(wait)
	p.signal(runs, 15)
	p.ends(runs, wait, 0, 15)
	for _, c := range []*launched{runs, ends, held} {
		p.forget(c)
	}
}

// checkDrainWaiting looks whether a reload, which drains the plugin, has to wait for containers.
func checkDrainWaiting(b *bench) {
	p := b.launcher(b.dataDir(), newInstance())
	c := p.launch("exec sleep 1000")
	p.start(c)
	wait := p.begin(c)
	p.runs(wait)
	ctx, cancel := b.call()
	defer cancel()
	if _, err := p.Drain(ctx, &pluginv1.DrainRequest{}); err != nil {
		b.fatalf("Drain while Wait is open: %v", err)
	}
	select {
	case w := <-wait:
		if !errors.Is(w.err, io.EOF) && status.Code(w.err) != codes.Unavailable {
			b.errorf("Wait ends with %v %v when the plugin drains, and should end without a message", w.status, w.err)
		}
	case <-time.After(b.Timeout):
		b.errorf("Wait goes on %v after Drain", b.Timeout)
	}
	if c.first.pid != 0 && !c.first.running() {
		b.errorf("the container has ended with the plugin's Drain")
	}
}
