//go:build linux

// Command isolator-process is an isolator that starts containers itself, each as a process in a session of its
// own, which outlives the plugin. It brings the agent a resource, too. It shows what a launcher has to do, and
// confines nothing: what other isolators ask for but cgroups and limits it refuses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// Config is the config block the operator writes.
type Config struct {
	Resources string `config:"resources" doc:"What the machine has besides, such as widgets:4."`
}

type launcher struct {
	resources resource.Resources
	dir       string
}

// New reads the resources. The folder of each container is all that the plugin knows of it.
func New(_ context.Context, h sdk.Host, c Config) (*launcher, error) {
	r, err := resource.Parse(c.Resources, "*")
	if err != nil {
		return nil, sdk.ConfigError(err, "resources")
	}
	return &launcher{resources: r, dir: filepath.Join(h.DataDir, "containers")}, nil
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == holdCommand {
		hold(folder(os.Args[2]))
		return
	}
	serve.Isolator("process", "0.1.0", New, serve.Doc("Starts containers as processes in sessions of their own."))
}

// folder is the container's. It need not exist.
func (l *launcher) folder(c isolator.Container) (folder, error) {
	for _, name := range []string{c.Instance, c.ID} {
		if name == "" || name == ".." || filepath.Base(name) != name {
			return "", sdk.Errorf(sdk.InvalidArgument, "%q is no name of an agent or a container", name)
		}
	}
	return folder(filepath.Join(l.dir, c.Instance, c.ID)), nil
}

// prepared is the folder of a container that Prepare was called for.
func (l *launcher) prepared(c isolator.Container) (folder, error) {
	f, err := l.folder(c)
	if err == nil && !f.has("") {
		err = sdk.Errorf(sdk.NotFound, "container %s was not prepared, or is cleaned up", c.ID)
	}
	return f, err
}

func (l *launcher) Resources(context.Context) (resource.Resources, error) { return l.resources, nil }

func (l *launcher) Recover(_ context.Context, instance string, known []isolator.Container) ([]isolator.Container, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.Base(instance)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var unknown []isolator.Container
	for _, e := range entries {
		if !slices.ContainsFunc(known, func(c isolator.Container) bool { return c.ID == e.Name() }) {
			unknown = append(unknown, isolator.Container{ID: e.Name(), Instance: instance})
		}
	}
	return unknown, nil
}

func (l *launcher) Prepare(_ context.Context, s isolator.Spec) (isolator.Plan, error) {
	f, err := l.folder(s.Container)
	if err != nil {
		return isolator.Plan{}, err
	}
	return isolator.Plan{Handle: isolator.Handle{HandleVersion: 1}}, os.MkdirAll(string(f), 0o700)
}

func (l *launcher) Launch(ctx context.Context, s isolator.Spec, p isolator.Plan) (int, error) {
	f, err := l.prepared(s.Container)
	if err != nil {
		return 0, err
	}
	if len(p.Mounts)+len(p.Devices)+len(p.Namespaces)+len(p.Prestart) > 0 || p.Capabilities != nil || p.RootFS+p.Hostname != "" {
		return 0, sdk.Errorf(sdk.FailedPrecondition, "the plan asks for more than cgroups and limits, which are all that a process can be given")
	}
	if at, err := f.process(); err == nil {
		return at.pid, nil
	}
	err = f.launch(ctx, order{
		Path: s.Path, Args: s.Args, Env: s.Env, Dir: s.Sandbox, User: s.User, Rlimits: p.Rlimits, Cgroups: p.CgroupPaths,
	})
	// Whatever became of this holder: one that an earlier process of the plugin has started may have come first.
	if at, e := f.process(); e == nil {
		return at.pid, nil
	}
	return 0, err
}

// Isolate has nothing to do: Launch has done it.
func (l *launcher) Isolate(_ context.Context, c isolator.Container, _ int) error {
	_, err := l.prepared(c)
	return err
}

func (l *launcher) Start(_ context.Context, c isolator.Container) error {
	f, err := l.prepared(c)
	if err != nil {
		return err
	}
	if _, err := f.process(); err != nil {
		return sdk.Errorf(sdk.FailedPrecondition, "container %s was not launched", c.ID)
	}
	return f.letGo()
}

func (l *launcher) Wait(ctx context.Context, c isolator.Container) (isolator.ExitStatus, error) {
	f, err := l.prepared(c)
	if err != nil {
		return isolator.ExitStatus{}, err
	}
	at, err := f.process()
	if err != nil {
		return isolator.ExitStatus{}, sdk.Errorf(sdk.NotFound, "container %s was not launched", c.ID)
	}
	if err := at.ended(ctx); err != nil {
		return isolator.ExitStatus{}, err
	}
	return f.status(), nil
}

func (l *launcher) Signal(_ context.Context, c isolator.Container, signal int) error {
	f, err := l.prepared(c)
	if err != nil {
		return err
	}
	at, err := f.process()
	if err != nil || !at.alive() {
		return sdk.Errorf(sdk.NotFound, "container %s does not run", c.ID)
	}
	return f.signal(at, signal)
}

// Exec is something that no agent asks for.
func (l *launcher) Exec(context.Context, isolator.Container, isolator.Exec) (isolator.ExitStatus, error) {
	return isolator.ExitStatus{}, sdk.Errorf(sdk.Unimplemented, "commands cannot be run within a container")
}

// Watch has nothing to tell: nothing is limited here.
func (l *launcher) Watch(ctx context.Context, _ isolator.Container, _ func(isolator.Limitation) error) error {
	<-ctx.Done()
	return nil
}

func (l *launcher) Update(context.Context, isolator.Container, resource.Resources, map[string]resource.Limit) error {
	return sdk.Errorf(sdk.Unimplemented, "nothing is limited")
}

func (l *launcher) Usage(context.Context, []isolator.Container) (map[string]isolator.Usage, error) {
	return nil, nil //nolint:nilnil // nothing is measured
}

func (l *launcher) Status(context.Context, []isolator.Container) (map[string]isolator.Status, error) {
	return nil, nil //nolint:nilnil // there is nothing to tell
}

func (l *launcher) Cleanup(ctx context.Context, c isolator.Container) error {
	f, err := l.folder(c)
	if err != nil || !f.has("") {
		return err
	}
	if at, err := f.process(); err == nil {
		at.killSession(0)
		if err := at.ended(ctx); err != nil {
			return fmt.Errorf("end container %s: %w", c.ID, err)
		}
	}
	_ = os.Remove(filepath.Dir(string(f))) // it stays while it has other containers
	return os.RemoveAll(string(f))
}
