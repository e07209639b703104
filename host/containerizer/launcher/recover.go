//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

// Recover finds the checkpointed containers as they were left, and destroys those of this instance that have no
// checkpoint; see containerizer.Containerizer.
func (l *Launcher) Recover(ctx context.Context, checkpoints []containerizer.Checkpoint) ([]containerizer.Recovered, error) {
	records := make([]record, len(checkpoints))
	for i, point := range checkpoints {
		var err error
		if records[i], err = parseRecord(point.Record); err != nil {
			return nil, fmt.Errorf("read the checkpoint of container %q: %w", point.ID, err)
		}
	}
	if err := l.checkConfigured(checkpoints, records); err != nil {
		return nil, err
	}
	found := make([]*container, 0, len(checkpoints))
	for i, point := range checkpoints {
		c, err := l.restore(point.ID, records[i])
		if err != nil {
			return nil, fmt.Errorf("recover container %q: %w", point.ID, err)
		}
		found = append(found, c)
	}
	l.mu.Lock()
	for _, c := range found {
		l.containers[c.id] = c
	}
	l.mu.Unlock()
	if err := l.destroyOrphans(ctx); err != nil {
		return nil, err
	}
	recovered := make([]containerizer.Recovered, 0, len(found))
	for _, c := range found {
		r, err := l.resume(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("recover container %q: %w", c.id, err)
		}
		recovered = append(recovered, r)
	}
	for _, i := range l.isolators {
		l.spawn(func() { l.recoverIsolator(i) })
	}
	return recovered, nil
}

// checkConfigured says which isolators were taken out of the configuration though they have containers in hand.
func (l *Launcher) checkConfigured(checkpoints []containerizer.Checkpoint, records []record) error {
	missing := map[string][]string{} // containers by isolator
	for i, r := range records {
		for name := range r.Handles {
			if !slices.ContainsFunc(l.isolators, func(i *isolatorState) bool { return i.Name == name }) {
				missing[name] = append(missing[name], checkpoints[i].ID)
			}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		errs = append(errs, fmt.Errorf("isolator %q is not in the configuration and has containers in hand: %s; configure it until they have ended",
			name, strings.Join(slices.Sorted(slices.Values(missing[name])), ", ")))
	}
	return errors.Join(errs...)
}

// restore makes a container of its checkpoint, with its process if that lives.
func (l *Launcher) restore(id string, r record) (_ *container, err error) {
	c := l.newContainer(id)
	c.record = r
	if c.runtime, err = l.runtimeOf(r); err != nil {
		return nil, err
	}
	return c, c.runtime.find(c)
}

// resume tells what has become of a container, and goes on with it from there.
func (l *Launcher) resume(ctx context.Context, c *container) (containerizer.Recovered, error) {
	released := c.runtime.settled(ctx, c)
	if c.process != nil && !released {
		if err := endProcess(ctx, c.process); err != nil {
			return containerizer.Recovered{}, err
		}
		c.release()
		released = c.runtime.settled(ctx, c)
	}
	r := containerizer.Recovered{ID: c.id}
	switch {
	case c.process != nil:
		c.begin()
		l.watch(c)
		r.State, r.Pid = containerizer.Running, c.process.number()
		l.spawn(func() { l.follow(c) })
	case released:
		exited := c.runtime.exit(c)
		r.State, r.WaitStatus, r.Known = containerizer.Ended, exited.WaitStatus, exited.Known
		c.end() // so that it may be dismissed from now on
		l.watch(c)
		l.spawn(func() { l.ended(c) })
	default:
		c.end()
		l.spawn(func() { l.fail(c, errUnstarted) })
	}
	return r, nil
}

var errUnstarted = errors.New("the agent ended while it was being launched")

// endProcess kills a process and waits for its end.
func endProcess(ctx context.Context, p process) error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, killPatience)
	defer stop()
	return p.wait(ctx)
}

// killPatience is how long the end of a killed process may take.
const killPatience = 30 * time.Second

// destroyOrphans ends what has a status file of ours but no checkpoint.
func (l *Launcher) destroyOrphans(ctx context.Context) error {
	entries, err := os.ReadDir(l.folder)
	if err != nil {
		return fmt.Errorf("look for containers without a checkpoint: %w", err)
	}
	for _, e := range entries {
		id := e.Name()
		if l.find(id) != nil {
			continue
		}
		l.config.Logger.Warn("destroying a container that has no checkpoint", "container", id)
		processes, err := findNamed(l.config.Instance + "/" + id)
		if err != nil {
			return fmt.Errorf("look for processes of container %q: %w", id, err)
		}
		for _, p := range processes {
			err := endProcess(ctx, p)
			p.close()
			if err != nil {
				return fmt.Errorf("destroy container %q: %w", id, err)
			}
		}
		if err := removeStatus(l.statusFile(id)); err != nil {
			return err
		}
	}
	return nil
}
