//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Launcher is a containerizer. Its methods may be called at once from several goroutines.
type Launcher struct {
	config    Config
	folder    string
	boot      string
	null      *os.File
	events    chan containerizer.Event
	isolators []*isolatorState
	own       *initRuntime
	group     sync.WaitGroup
	ctx       context.Context //nolint:containedctx // the life of the launcher, ended by Close
	cancel    context.CancelCauseFunc

	mu         sync.Mutex
	closed     bool
	containers map[string]*container
}

var _ containerizer.Containerizer = (*Launcher)(nil)

// errClosed ends what is under way when the launcher is closed. Containers are left as they are.
var errClosed = errors.New("the containerizer is closed")

// eventBuffer lets containers go on while the agent is busy for a moment.
const eventBuffer = 1024

// New makes a launcher and its folder. Nothing runs before Recover.
func New(c Config) (*Launcher, error) {
	if c.LaunchTimeout <= 0 {
		c.LaunchTimeout = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Fetcher == nil {
		c.Fetcher = fetcher.New(fetcher.Config{})
	}
	if c.Instance == "" || !filepath.IsLocal(c.Instance) || filepath.Base(c.Instance) != c.Instance {
		return nil, fmt.Errorf("use instance %q: it is not the name of a folder", c.Instance)
	}
	if info, err := os.Stat(c.InitPath); err != nil {
		return nil, fmt.Errorf("find mezzo-init: %w", err)
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("find mezzo-init: %s is not a program", c.InitPath)
	}
	l := &Launcher{
		config:     c,
		folder:     filepath.Join(c.RuntimeDir, c.Instance),
		events:     make(chan containerizer.Event, eventBuffer),
		containers: map[string]*container{},
	}
	var err error
	if l.boot, err = bootID(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the runtime folder: %w", err)
	}
	if l.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.own = &initRuntime{l}
	for _, i := range c.Isolators {
		l.isolators = append(l.isolators, newIsolatorState(i))
	}
	return l, nil
}

// Events is where everything that happens to containers is told.
func (l *Launcher) Events() <-chan containerizer.Event { return l.events }

// Launch starts a container; see containerizer.Containerizer.
func (l *Launcher) Launch(_ context.Context, spec containerizer.Spec) {
	c, err := l.admit(spec)
	switch {
	case errors.Is(err, errClosed):
	case err != nil:
		l.spawn(func() {
			l.emit(containerizer.Failed{ID: spec.ID, Reason: containerizer.LaunchFailed, Message: err.Error()})
			l.emit(containerizer.Cleaned{ID: spec.ID})
		})
	default:
		l.spawn(func() { l.run(c) })
	}
}

// admit enters a new container into the books.
func (l *Launcher) admit(spec containerizer.Spec) (*container, error) {
	if spec.ID == "" || filepath.Base(spec.ID) != spec.ID || !filepath.IsLocal(spec.ID) || len(spec.ID) > maxID {
		return nil, fmt.Errorf("the container id %q is not the name of a file", spec.ID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if _, ok := l.containers[spec.ID]; ok {
		return nil, fmt.Errorf("the container id %q is in use", spec.ID)
	}
	c := l.newContainer(spec.ID)
	c.spec = spec
	c.record = newRecord(l.boot, spec)
	l.containers[spec.ID] = c
	return c, nil
}

// maxID is the longest id of a container.
const maxID = 242

// Kill sends a signal to the container's process group. SIGKILL goes to everything in it, as Destroy does.
func (l *Launcher) Kill(ctx context.Context, id string, signal syscall.Signal) error {
	c := l.find(id)
	if c == nil {
		return fmt.Errorf("signal container %q: %w", id, containerizer.ErrUnknownContainer)
	}
	if signal == syscall.SIGKILL {
		l.Destroy(ctx, id)
		return nil
	}
	if err := c.signal(signal); err != nil {
		return fmt.Errorf("signal container %q: %w", id, err)
	}
	return nil
}

// Destroy kills whatever is in the container, in whatever state it is, and forgets one that is over.
func (l *Launcher) Destroy(_ context.Context, id string) {
	if c := l.find(id); c != nil && c.destroy() {
		l.forget(c)
	}
}

// Update gives a running container other resources and limits, by way of every isolator.
func (l *Launcher) Update(ctx context.Context, id string, r resource.Resources, limits map[string]resource.Limit) error {
	c := l.find(id)
	if c == nil {
		return fmt.Errorf("update container %q: %w", id, containerizer.ErrUnknownContainer)
	}
	for _, i := range l.isolators {
		err := i.call(ctx, func(ctx context.Context) error {
			return i.Isolator.Update(ctx, c.forIsolator(l.config.Instance, i), r, limits)
		})
		if err != nil && !unimplemented(err) {
			return fmt.Errorf("update container %q: %w", id, i.named(err))
		}
	}
	return nil
}

// Usage asks every isolator about all containers at once and merges what they say. Figures of an isolator that
// cannot answer are missing, and its error is returned beside the others' figures. Of containers whose processors no
// isolator measures, there is what the system tells of their processes.
func (l *Launcher) Usage(ctx context.Context, ids []string) (map[string]containerizer.Usage, error) {
	usage := make(map[string]containerizer.Usage, len(ids))
	var known []*container
	for _, id := range ids {
		if c := l.find(id); c != nil {
			known = append(known, c)
			usage[id] = containerizer.Usage{Timestamp: time.Now()}
		}
	}
	var errs error
	for _, i := range l.isolators {
		list := make([]isolator.Container, 0, len(known))
		for _, c := range known {
			list = append(list, c.forIsolator(l.config.Instance, i))
		}
		figures, err := i.Isolator.Usage(ctx, list)
		if err != nil && !unimplemented(err) {
			errs = errors.Join(errs, fmt.Errorf("read usage: %w", i.named(err)))
		}
		for id, u := range figures {
			if into, ok := usage[id]; ok {
				usage[id] = mergeUsage(into, u)
			}
		}
	}
	return usage, errors.Join(errs, addProcessUsage(usage, known))
}

// Status tells what is known of the containers.
func (l *Launcher) Status(_ context.Context, ids []string) (map[string]containerizer.Status, error) {
	status := make(map[string]containerizer.Status, len(ids))
	for _, id := range ids {
		if c := l.find(id); c != nil {
			status[id] = c.status()
		}
	}
	return status, nil
}

// Close stops watching, and ends the events once all has stopped. Containers run on.
func (l *Launcher) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.cancel(errClosed)
	l.group.Wait()
	close(l.events)
	_ = os.Remove(l.folder) // it stays while a container has its status there
	return l.null.Close()
}

func (l *Launcher) find(id string) *container {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.containers[id]
}

// spawn runs f beside, unless the launcher is closed; Close waits for it.
func (l *Launcher) spawn(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.group.Go(f)
	}
}

// emit tells an event. After Close there is nobody to tell.
func (l *Launcher) emit(e containerizer.Event) {
	select {
	case l.events <- e:
	case <-l.ctx.Done():
	}
}
