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
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
)

func probeIsolator(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := isolatorv1.NewIsolatorServiceClient(conn).Usage(ctx, &isolatorv1.UsageRequest{})
	return err
}

// isolatorPlugin is a configured plugin, and the agent that it works for.
type isolatorPlugin struct {
	*plugin
	client   isolatorv1.IsolatorServiceClient
	instance string
}

// isolator starts a plugin for an agent's instance and tells it of the agent's containers.
func (b *bench) isolator(dataDir, instance string, known ...*isolatorv1.Container) (*isolatorPlugin, []*isolatorv1.Container) {
	p := b.ready(dataDir)
	i := &isolatorPlugin{plugin: p, client: isolatorv1.NewIsolatorServiceClient(p.conn), instance: instance}
	ctx, cancel := b.call()
	defer cancel()
	response, err := i.client.Recover(ctx, &isolatorv1.RecoverRequest{OperationId: rand.Text(), Instance: instance, Containers: known})
	if err != nil {
		b.fatalf("Recover with %d containers: %v", len(known), err)
	}
	for _, u := range response.GetUnknown() {
		if u.GetId() == "" || (u.GetInstance() != "" && u.GetInstance() != instance) {
			b.errorf("Recover for the agent %s returns a container without id, or of another agent: %v", instance, u)
		}
		if slices.ContainsFunc(known, func(k *isolatorv1.Container) bool { return k.GetId() == u.GetId() }) {
			b.errorf("Recover returns %s as unknown, which it was told of", u.GetId())
		}
	}
	return i, response.GetUnknown()
}

func newInstance() string { return "kit-" + strings.ToLower(rand.Text()[:10]) }

// newContainer is a container that nobody knows yet. It is cleaned up when the check ends.
func (p *isolatorPlugin) newContainer() *isolatorv1.Container {
	c := &isolatorv1.Container{Id: "kit-" + strings.ToLower(rand.Text()), Instance: p.instance}
	p.bench.onEnd(func() { removeCgroups(c.GetId()) })
	return c
}

func spec(c *isolatorv1.Container, sandbox string) *isolatorv1.Spec {
	return &isolatorv1.Spec{
		Container: c, FrameworkId: "kit-framework", ExecutorId: "kit-task", TaskId: "kit-task", CommandTask: true, Sandbox: sandbox,
		Resources: &resourcev1.Resources{Items: []*resourcev1.Resource{
			{Name: "cpus", Scalar: 100, Role: "*"}, {Name: "mem", Scalar: 64_000, Role: "*"},
		}},
		Args: []string{"sleep", "1000"},
	}
}

// prepare prepares a container and stores its handle in it, as an agent does.
func (p *isolatorPlugin) prepare(c *isolatorv1.Container) *isolatorv1.Plan {
	b := p.bench
	ctx, cancel := b.call()
	defer cancel()
	response, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: spec(c, b.dataDir())})
	if err != nil {
		b.fatalf("Prepare: %v", err)
	}
	p.store(c, response.GetPlan())
	return response.GetPlan()
}

func (p *isolatorPlugin) store(c *isolatorv1.Container, plan *isolatorv1.Plan) {
	c.Handle = proto.CloneOf(plan.GetHandle())
	if c.Handle != nil {
		c.Handle.Plugin, c.Handle.Version = "kit", "1"
	}
}

// checkPlan looks for what an agent would not carry out.
func checkPlan(b *bench) {
	p, _ := b.isolator(b.dataDir(), newInstance())
	c := p.newContainer()
	plan := p.prepare(c)
	defer p.cleanup(c)
	if n := len(plan.GetHandle().GetData()); n > handshake.MaxHandle {
		b.errorf("the handle has %d bytes, and %d are allowed", n, handshake.MaxHandle)
	}
	if err := isolatorconv.PlanFromProto(plan).Validate(); err != nil {
		b.errorf("the plan that Prepare gives is one that agents refuse: %v", err)
	}
	for _, path := range plan.GetCgroupPaths() {
		if !strings.Contains(path, p.instance) {
			b.errorf("the plan's cgroup %q does not have the agent's instance, %s, in its path", path, p.instance)
		}
	}
}

// process starts what is to be isolated, and puts it into the plan's cgroups as an agent does.
func (b *bench) process(plan *isolatorv1.Plan) *exec.Cmd {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.skip("there is no `sleep` to be isolated on this machine")
	}
	cmd := exec.Command(sleep, "1000")
	if err := cmd.Start(); err != nil {
		b.fatalf("%v", err)
	}
	b.onEnd(func() { endProcess(cmd) })
	for _, path := range plan.GetCgroupPaths() {
		if err := os.WriteFile(filepath.Join(path, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			b.fatalf("put a process into the cgroup that the plan names: %v", err)
		}
	}
	return cmd
}

func endProcess(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (p *isolatorPlugin) isolate(c *isolatorv1.Container, pid int) {
	ctx, cancel := p.bench.call()
	defer cancel()
	if _, err := p.client.Isolate(ctx, &isolatorv1.IsolateRequest{OperationId: rand.Text(), Container: c, Pid: int64(pid)}); err != nil {
		p.bench.fatalf("Isolate: %v", err)
	}
}

// measure asks for the usage and status of containers.
func (p *isolatorPlugin) measure(cs ...*isolatorv1.Container) map[string]*isolatorv1.ContainerUsage {
	b := p.bench
	ctx, cancel := b.call()
	defer cancel()
	usage, err := p.client.Usage(ctx, &isolatorv1.UsageRequest{Containers: cs})
	if err != nil {
		b.fatalf("Usage of %d containers: %v", len(cs), err)
	}
	statuses, err := p.client.Status(ctx, &isolatorv1.StatusRequest{Containers: cs})
	if err != nil {
		b.fatalf("Status of %d containers: %v", len(cs), err)
	}
	asked := map[string]bool{}
	for _, c := range cs {
		asked[c.GetId()] = true
	}
	for id := range usage.GetUsages() {
		if !asked[id] {
			b.errorf("Usage tells of %q, which it was not asked about", id)
		}
	}
	for id := range statuses.GetStatuses() {
		if !asked[id] {
			b.errorf("Status tells of %q, which it was not asked about", id)
		}
	}
	return usage.GetUsages()
}

func (p *isolatorPlugin) cleanup(c *isolatorv1.Container) {
	ctx, cancel := p.bench.call()
	defer cancel()
	_, err := p.client.Cleanup(ctx, &isolatorv1.CleanupRequest{OperationId: rand.Text(), Container: c})
	if err != nil && status.Code(err) != codes.NotFound {
		p.bench.fatalf("Cleanup: %v", err)
	}
}

// gone notes what is left of a plan after its cleanup.
func (b *bench) gone(plan *isolatorv1.Plan) {
	for _, path := range plan.GetCgroupPaths() {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			b.errorf("Cleanup has succeeded, and the cgroup %s, which the plan had named, is there still", path)
		}
	}
}

// removeCgroups removes what a plugin that fails its checks has left of a container.
func removeCgroups(id string) {
	for _, pattern := range []string{"/sys/fs/cgroup/*/*/*/", "/sys/fs/cgroup/*/*/", "/sys/fs/cgroup/*/*/*/*/", "/sys/fs/cgroup/*/"} {
		left, _ := filepath.Glob(pattern + id + "*")
		for _, path := range left {
			_ = os.Remove(path)
		}
	}
}

func checkLife(b *bench) {
	p, unknown := b.isolator(b.dataDir(), newInstance())
	if len(unknown) > 0 {
		b.errorf("Recover for an agent whose instance is new returns %d containers, and there can be none of it: %.300v", len(unknown), unknown)
	}
	c := p.newContainer()
	plan := p.prepare(c)
	cmd := b.process(plan)
	p.isolate(c, cmd.Process.Pid)
	p.measure(c)
	ctx, cancel := b.call()
	defer cancel()
	_, err := p.client.Update(ctx, &isolatorv1.UpdateRequest{
		OperationId: rand.Text(), Container: c,
		Resources: &resourcev1.Resources{Items: []*resourcev1.Resource{{Name: "cpus", Scalar: 200, Role: "*"}, {Name: "mem", Scalar: 96_000, Role: "*"}}},
	})
	if err != nil && status.Code(err) != codes.Unimplemented {
		b.errorf("Update: %v", err)
	}
	endProcess(cmd)
	p.cleanup(c)
	b.gone(plan)
	if left := p.measure(c); left[c.GetId()] != nil {
		b.errorf("Usage tells of a container after its Cleanup")
	}
}

func checkRepeats(b *bench) {
	p, _ := b.isolator(b.dataDir(), newInstance())
	c := p.newContainer()
	request := &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: spec(c, b.dataDir())}
	ctx, cancel := b.call()
	defer cancel()
	var plans []*isolatorv1.Plan
	for _, what := range []string{"Prepare", "Prepare with the same operation_id", "Prepare of the same container by another operation"} {
		if len(plans) == 2 {
			request.OperationId = rand.Text()
		}
		response, err := p.client.Prepare(ctx, request)
		if err != nil {
			b.fatalf("%s: %v", what, err)
		}
		if plans = append(plans, response.GetPlan()); !proto.Equal(plans[0], response.GetPlan()) {
			b.errorf("%s gives another plan:\n%.500v\nand first\n%.500v", what, response.GetPlan(), plans[0])
		}
	}
	p.store(c, plans[0])
	cmd := b.process(plans[0])
	p.isolate(c, cmd.Process.Pid)
	p.isolate(c, cmd.Process.Pid)
	endProcess(cmd)
	p.cleanup(c)
	p.cleanup(c)
	c.Handle = nil
	p.cleanup(c)
	b.gone(plans[0])
}

// checkRecover kills the plugin while a container runs. The next process finds it as it was.
func checkRecover(b *bench) {
	dir, instance := b.dataDir(), newInstance()
	p, _ := b.isolator(dir, instance)
	c := p.newContainer()
	plan := p.prepare(c)
	cmd := b.process(plan)
	p.isolate(c, cmd.Process.Pid)
	before := p.measure(c)[c.GetId()]
	p.kill()
	if startOf(cmd.Process.Pid) == "" {
		b.errorf("the container's process has ended with the plugin's")
	}
	p, unknown := b.isolator(dir, instance, c)
	if len(unknown) > 0 {
		b.errorf("after a restart Recover returns %d containers as unknown, and the kit has named the only one there is: %.300v", len(unknown), unknown)
	}
	if after := p.measure(c)[c.GetId()]; (before == nil) != (after == nil) {
		b.errorf("the container's usage before a restart is %v, and after it %v", before, after)
	}
	endProcess(cmd)
	p.cleanup(c)
	b.gone(plan)
}

// checkLostHandle kills the plugin after a Prepare of which the agent remembers nothing, or nothing but the
// container's name. What there is of the container is found, or cleaned up by its name.
func checkLostHandle(b *bench) {
	dir, instance := b.dataDir(), newInstance()
	p, _ := b.isolator(dir, instance)
	named, forgotten := p.newContainer(), p.newContainer()
	plans := []*isolatorv1.Plan{p.prepare(named), p.prepare(forgotten)}
	p.kill()
	named.Handle = nil
	p, unknown := b.isolator(dir, instance, named)
	for _, u := range unknown {
		p.cleanup(u)
	}
	p.cleanup(named)
	for _, plan := range plans {
		b.gone(plan)
	}
	p.kill()
	if _, unknown = b.isolator(dir, instance); len(unknown) > 0 {
		b.errorf("Recover returns containers that were cleaned up before: %.300v", unknown)
	}
}

func checkWatch(b *bench) {
	p, _ := b.isolator(b.dataDir(), newInstance())
	c := p.newContainer()
	plan := p.prepare(c)
	cmd := b.process(plan)
	p.isolate(c, cmd.Process.Pid)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	stream, err := p.client.Watch(ctx, &isolatorv1.WatchRequest{Container: c})
	if err != nil {
		b.fatalf("Watch: %v", err)
	}
	go func() {
		_, err := stream.Recv()
		ended <- err
	}()
	select {
	case err := <-ended:
		b.errorf("Watch of a container that sleeps tells of a limit, or ends at once (%v): it should stay open and tell nothing", err)
	case <-time.After(200 * time.Millisecond):
	}
	endProcess(cmd)
	p.cleanup(c)
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, io.EOF) {
			b.errorf("Watch of a container that was cleaned up ends with %v, and should without an error", err)
		}
	case <-time.After(b.Timeout):
		b.errorf("Watch goes on %v after the container was cleaned up", b.Timeout)
	}
}

func checkSeveral(b *bench) {
	p, _ := b.isolator(b.dataDir(), newInstance())
	const n = 8
	cs := make([]*isolatorv1.Container, n)
	plans := make([]*isolatorv1.Plan, n)
	failed := make(chan error, n)
	for i := range cs {
		cs[i] = p.newContainer()
		request := &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: spec(cs[i], b.dataDir())}
		go func() {
			ctx, cancel := b.call()
			defer cancel()
			response, err := p.client.Prepare(ctx, request)
			plans[i] = response.GetPlan()
			failed <- err
		}()
	}
	for range cs {
		if err := <-failed; err != nil {
			b.errorf("one of %d Prepare at the same time, for different containers: %v", n, err)
		}
	}
	for i, c := range cs {
		p.store(c, plans[i])
	}
	p.measure(cs...)
	for i, c := range cs {
		p.cleanup(c)
		b.gone(plans[i])
	}
}

func checkIsolatorCancel(b *bench) {
	dir, instance := b.dataDir(), newInstance()
	p, _ := b.isolator(dir, instance)
	for i := range 10 {
		c := p.newContainer()
		ctx, cancel := context.WithTimeout(b.ctx, time.Duration(i)*200*time.Microsecond)
		_, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: spec(c, dir)})
		cancel()
		if !known(err) {
			b.errorf("a Prepare that was given up gives %v, whose code contracts do not know", err)
		}
		p.cleanup(c)
	}
	p.stillAlive("calls that were given up")
	p.kill()
	if _, unknown := b.isolator(dir, instance); len(unknown) > 0 {
		b.errorf("of 10 containers whose Prepare was given up, and which were cleaned up then, Recover of the next process returns %d", len(unknown))
	}
}

func checkBadRequests(b *bench) {
	p, _ := b.isolator(b.dataDir(), newInstance())
	ctx, cancel := b.call()
	defer cancel()
	stranger := p.newContainer()
	odd := p.newContainer()
	odd.Handle = &isolatorv1.Handle{Plugin: "kit", Version: "1", HandleVersion: 4_000_000_000, Data: []byte("\x00not a handle")}
	calls := map[string]func() error{
		"Prepare of nothing": func() error {
			_, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: rand.Text()})
			return err
		},
		"Prepare without an operation_id": func() error {
			_, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{Spec: spec(p.newContainer(), b.dataDir())})
			return err
		},
		"Prepare of a container whose id is a path": func() error {
			c := &isolatorv1.Container{Id: "../../kit-escape", Instance: p.instance}
			_, err := p.client.Prepare(ctx, &isolatorv1.PrepareRequest{OperationId: rand.Text(), Spec: spec(c, b.dataDir())})
			return err
		},
	}
	for what, call := range calls {
		switch err := call(); {
		case err == nil:
			b.errorf("%s succeeds, and should be refused with INVALID_ARGUMENT", what)
		case !known(err):
			b.errorf("%s gives %v, whose code contracts do not know", what, err)
		}
	}
	if _, err := p.client.Isolate(ctx, &isolatorv1.IsolateRequest{OperationId: rand.Text(), Container: stranger, Pid: 1 << 30}); !known(err) {
		b.errorf("Isolate of a process that is not there gives %v, whose code contracts do not know", err)
	}
	// A container that never was, or whose handle cannot be read, has no usage, and nothing to clean up.
	if got := p.measure(stranger); len(got) > 0 {
		b.errorf("Usage tells of a container that was never prepared: %v", got)
	}
	p.cleanup(stranger)
	if _, err := p.client.Cleanup(ctx, &isolatorv1.CleanupRequest{OperationId: rand.Text(), Container: odd}); !known(err) {
		b.errorf("Cleanup with a handle of an unknown version gives %v, whose code contracts do not know", err)
	}
	p.stillAlive("bad requests")
	if _, err := os.Stat(filepath.Join(filepath.Dir(p.sockets), "kit-escape")); err == nil {
		b.errorf("a container's id that is a path was used as a path")
	}
}
