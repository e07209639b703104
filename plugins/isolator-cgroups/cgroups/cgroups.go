//go:build linux

// Package cgroups is the isolator that confines containers with Linux's control groups, version 1 or 2: a share and
// a hard limit of cpu, soft and hard limits of memory, with running out of it told as a limitation, and a limit on
// pids. Every container has a cgroup root/instance/id, in which agents that share a machine cannot meet.
//
// The kernel's files are read and written directly: all of a container takes a dozen of them, and its start is to take
// a millisecond. The package imports the SDK and golang.org/x/sys/unix alone.
package cgroups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// hierarchy is what the two versions of cgroups have in common. Nothing in it changes once it is made.
type hierarchy interface {
	// create makes a container's cgroups, or finds them, and returns their folders.
	create(g group, s settings) ([]string, error)
	// apply sets the cgroups, fresh ones or those of a running container.
	apply(g group, s settings, fresh bool) error
	// remove removes a container's cgroups once; errBusy asks to be called again.
	remove(g group) error
	// removeParents removes the cgroups above, those that are empty.
	removeParents(g group)
	list(parent string) ([]string, error)
	paths(g group) []string
	// usage is false when there is no such container.
	usage(g group) (isolator.Usage, bool)
	outOfMemory(g group) memoryReport
	watch(g group) (signals <-chan struct{}, stop func(), err error)
}

// Isolator confines containers with cgroups.
type Isolator struct {
	config    Config
	hierarchy hierarchy
	log       *slog.Logger
	machine   int64 // its memory, bytes

	mu       sync.Mutex
	verdicts map[string]*verdict // by group
}

// New makes the isolator, or says what of the machine or the configuration does not allow it.
func New(_ context.Context, host sdk.Host, c Config) (*Isolator, error) {
	if os.Geteuid() != 0 {
		return nil, sdk.Errorf(sdk.FailedPrecondition, "only root may make cgroups, and this runs as user %d; run the agent as root, or leave this plugin out", os.Geteuid())
	}
	h, err := open(c)
	if err != nil {
		return nil, err
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("read the machine's memory: %w", err)
	}
	machine := int64(info.Totalram) * int64(info.Unit) //nolint:gosec,unconvert // bytes of memory fit; the type differs between machines
	return &Isolator{config: c, hierarchy: h, log: host.Logger, machine: machine, verdicts: map[string]*verdict{}}, nil
}

// handleVersion is that of the handle's form.
const handleVersion = 1

// handle is what is to be known of a container after a restart.
type handle struct {
	Root        string `json:"root"` // the configuration may have changed since
	OOMScoreAdj int    `json:"oom_score_adj,omitempty"`
}

// open reads a container's handle. One without any has it as the configuration makes it now.
func (i *Isolator) open(c isolator.Container) (group, handle, error) {
	h := handle{Root: i.config.Root}
	if len(c.Handle.Data) > 0 {
		if c.Handle.HandleVersion != handleVersion {
			return group{}, h, sdk.Errorf(sdk.FailedPrecondition, "the handle of container %s has version %d, known is %d",
				c.ID, c.Handle.HandleVersion, handleVersion)
		}
		if err := json.Unmarshal(c.Handle.Data, &h); err != nil {
			return group{}, h, sdk.Errorf(sdk.FailedPrecondition, "read the handle of container %s: %w", c.ID, err)
		}
	}
	g, err := newGroup(h.Root, c)
	return g, h, err
}

// Recover finds cgroups of the instance that are of no known container. It changes nothing.
func (i *Isolator) Recover(_ context.Context, instance string, known []isolator.Container) ([]isolator.Container, error) {
	roots := []string{i.config.Root}
	ours := map[string]bool{}
	for _, c := range known {
		g, _, err := i.open(c)
		if err != nil {
			return nil, err
		}
		ours[g.path()] = true
		if !slices.Contains(roots, g.root) {
			roots = append(roots, g.root)
		}
	}
	var unknown []isolator.Container
	for _, root := range roots {
		parent, err := newGroup(root, isolator.Container{ID: "any", Instance: instance})
		if err != nil {
			return nil, err
		}
		ids, err := i.hierarchy.list(parent.parent())
		if err != nil {
			return nil, coded(fmt.Errorf("list the cgroups of this agent: %w", err))
		}
		for _, id := range ids {
			g := group{root: root, instance: instance, id: id}
			if ours[g.path()] {
				continue
			}
			c := isolator.Container{ID: id, Instance: instance}
			if c.Handle, err = newHandle(handle{Root: root}); err != nil {
				return nil, err
			}
			unknown = append(unknown, c)
		}
	}
	return unknown, nil
}

func newHandle(h handle) (isolator.Handle, error) {
	b, err := json.Marshal(h)
	return isolator.Handle{HandleVersion: handleVersion, Data: b}, err
}

// Prepare makes the container's cgroups, and asks the agent to start it in them.
func (i *Isolator) Prepare(ctx context.Context, s isolator.Spec) (isolator.Plan, error) {
	g, err := newGroup(i.config.Root, s.Container)
	if err != nil {
		return isolator.Plan{}, err
	}
	set := i.config.settingsOf(s.Resources, s.Limits)
	paths, err := i.hierarchy.create(g, set)
	if err != nil {
		if sdk.CodeOf(err) == sdk.NotFound { // a parent went while we worked
			err = sdk.Errorf(sdk.Aborted, "%w", err)
		}
		return isolator.Plan{}, errors.Join(err, i.remove(ctx, g))
	}
	h, err := newHandle(handle{Root: g.root, OOMScoreAdj: set.oomScoreAdj(i.machine)})
	if err != nil {
		return isolator.Plan{}, err
	}
	return isolator.Plan{Handle: h, CgroupPaths: paths}, nil
}

// Isolate sets the container's preference for being killed when the machine runs out of memory. The agent has
// placed its first process as the plan said.
func (i *Isolator) Isolate(_ context.Context, c isolator.Container, pid int) error {
	_, h, err := i.open(c)
	if err != nil || h.OOMScoreAdj == 0 || pid <= 0 {
		return err
	}
	return writeText("/proc/"+strconv.Itoa(pid), "oom_score_adj", strconv.Itoa(h.OOMScoreAdj))
}

// Update gives a running container other settings. Its hard limit of memory is raised, but not lowered.
func (i *Isolator) Update(_ context.Context, c isolator.Container, r resource.Resources, limits map[string]resource.Limit) error {
	g, _, err := i.open(c)
	if err != nil {
		return err
	}
	return i.hierarchy.apply(g, i.config.settingsOf(r, limits), false)
}

// Usage measures containers.
func (i *Isolator) Usage(_ context.Context, list []isolator.Container) (map[string]isolator.Usage, error) {
	out := make(map[string]isolator.Usage, len(list))
	for _, c := range list {
		g, _, err := i.open(c)
		if err != nil {
			continue
		}
		if u, ok := i.hierarchy.usage(g); ok {
			u.Timestamp = time.Now()
			out[c.ID] = u
		}
	}
	return out, nil
}

// Status names the containers' cgroups.
func (i *Isolator) Status(_ context.Context, list []isolator.Container) (map[string]isolator.Status, error) {
	out := make(map[string]isolator.Status, len(list))
	for _, c := range list {
		g, _, err := i.open(c)
		if err != nil {
			continue
		}
		paths := slices.DeleteFunc(i.hierarchy.paths(g), func(p string) bool {
			_, err := os.Stat(p)
			return err != nil
		})
		if len(paths) > 0 {
			out[c.ID] = isolator.Status{CgroupPaths: paths}
		}
	}
	return out, nil
}

// Cleanup kills what is left in the container's cgroups and removes them. What ended the container is told to those
// who watch it.
func (i *Isolator) Cleanup(ctx context.Context, c isolator.Container) error {
	g, _, err := i.open(c)
	if err != nil {
		return err
	}
	i.judge(g)
	if err := i.remove(ctx, g); err != nil {
		return err
	}
	i.close(g)
	return nil
}

// killPatience is how long killed processes may take to go, before the agent is asked to try again.
const killPatience = 5 * time.Second

// remove removes a container's cgroups, and those above when they are empty.
func (i *Isolator) remove(ctx context.Context, g group) error {
	ctx, stop := context.WithTimeout(ctx, killPatience)
	defer stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := i.hierarchy.remove(g)
		switch {
		case err == nil:
			i.hierarchy.removeParents(g)
			return nil
		case !errors.Is(err, errBusy):
			return coded(err)
		}
		select {
		case <-ctx.Done():
			return sdk.Errorf(sdk.Unavailable, "%w", err)
		case <-time.After(pause):
		}
	}
}

// countMembers counts the processes of a cgroup, and the threads where pids are counted.
func countMembers(u *isolator.Usage, procs, pids string) {
	list, err := members(procs)
	if err == nil {
		n := uint64(len(list))
		u.Processes = small(&n)
	}
	u.Threads = small(number(pids, "pids.current"))
}

var _ isolator.Isolator = (*Isolator)(nil)
