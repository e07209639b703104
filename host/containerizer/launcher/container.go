//go:build unix

package launcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// errDestroyed ends the launch of a container that Destroy was called for.
var errDestroyed = errors.New("it was destroyed while being launched")

// container is one container, from Launch (or Recover) until it is cleaned up. One goroutine leads it through its
// life; the others only look, signal and destroy.
type container struct {
	id     string
	file   string             // its status file, under mezzo-init
	spec   containerizer.Spec // of a launch; a recovered container has none
	record record             // written by the leading goroutine alone, under mu
	// ctx ends when the container is destroyed or the launcher closed.
	ctx    context.Context //nolint:containedctx // the life of the container
	cancel context.CancelCauseFunc
	// watchers listen to isolators until stopWatching, or until the isolators have cleaned up.
	watchers     sync.WaitGroup
	stopWatching context.CancelFunc

	mu        sync.Mutex
	runtime   runtime // nil before it is made
	process   process // nil before it is made
	started   time.Time
	destroyed bool
	over      bool // nothing of it runs, or ever will
	told      bool // Exited was emitted: nothing is said of limits any more
	finished  bool // Cleaned was emitted
	dismissed bool // its end is known, and need not be told to another agent
	waiting   string
}

func (l *Launcher) newContainer(id string) *container {
	c := &container{id: id, file: l.statusFile(id)}
	c.ctx, c.cancel = context.WithCancelCause(l.ctx)
	return c
}

// signal sends a signal to the first process, which passes it on.
func (c *container) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil || c.started.IsZero() {
		return containerizer.ErrUnknownContainer
	}
	return c.process.signal(s)
}

// destroy kills the container, or ends its launch. One that is over is dismissed: destroy tells whether nothing is
// left to do for it.
func (c *container) destroy() (done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		c.dismissed = true
		return c.finished
	}
	c.destroyed = true
	c.cancel(errDestroyed)
	if c.process != nil {
		_ = c.process.signal(syscall.SIGKILL) // one that has ended is what was wanted
	}
	return false
}

// use notes what makes the container.
func (c *container) use(r runtime) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runtime = r
}

// adopt makes a process the container's. When the container was destroyed meanwhile the process is killed at once.
func (c *container) adopt(p process, pid int, start uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process = p
	c.record.Pid, c.record.Start = pid, start
	if c.destroyed {
		_ = p.signal(syscall.SIGKILL)
	}
}

// begin notes that the command was let go.
func (c *container) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started, c.waiting = time.Now(), ""
}

// end notes that nothing of the container runs.
func (c *container) end() {
	c.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// release lets go of the process, whether it runs or not.
func (c *container) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		c.process.close()
		c.process = nil
	}
}

func (c *container) wasDestroyed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.destroyed
}

func (c *container) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func (c *container) wait(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = what
}

func (c *container) status() containerizer.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := containerizer.Status{Started: c.started, Message: c.waiting}
	if c.process != nil {
		s.Pid = c.process.number()
	}
	return s
}

// forIsolator is the container as an isolator knows it.
func (c *container) forIsolator(instance string, i *isolatorState) isolator.Container {
	c.mu.Lock()
	defer c.mu.Unlock()
	return isolator.Container{ID: c.id, Instance: instance, Handle: c.record.handle(i.Name)}
}

// run leads a new container through its life.
func (l *Launcher) run(c *container) {
	err := l.launch(c)
	switch {
	case l.ctx.Err() != nil:
		c.release()
		return // the next Recover goes on
	case err != nil:
		l.log(c).Info("container did not start", "error", err)
		l.fail(c, err)
		return
	}
	l.follow(c)
}

// fail ends a container whose command was never let go. That is told at once when an isolator is away, whose clean-up
// is owed until it is back: nothing runs, and nothing ever will.
func (l *Launcher) fail(c *container, err error) {
	c.end()
	c.tellNoMore()
	patience := isolatorPatience
	if sdk.CodeOf(err) == sdk.Unavailable {
		patience = 0
	}
	cleaned := l.cleanUpBeside(c, patience)
	l.emit(containerizer.Failed{ID: c.id, Reason: reasonOf(err), Message: err.Error()})
	l.finish(c, <-cleaned)
}

// tellNoMore ends the container's limitations.
func (c *container) tellNoMore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	if c.stopWatching != nil {
		c.stopWatching()
	}
}

// follow watches a container whose command was let go until nothing is left of it.
func (l *Launcher) follow(c *container) {
	if err := c.process.wait(l.ctx); err != nil {
		if l.ctx.Err() == nil {
			l.log(c).Error("watching the container failed", "error", err)
		}
		c.tellNoMore()
		c.release()
		return
	}
	l.ended(c)
}

// ended is called when nothing of a container runs any more.
func (l *Launcher) ended(c *container) {
	exited := c.runtime.exit(c)
	c.end()
	// Isolators are cleaned up first, which makes them tell of limits that were reached: what ended a container
	// is known before its end is told. An isolator that is away does not keep the end back for long.
	cleaned := l.cleanUpBeside(c, isolatorPatience)
	c.tellNoMore()
	l.emit(exited)
	l.finish(c, <-cleaned)
}

// cleanUpBeside has every isolator clean up, and waits for that, but not for long. What came of it is told once.
func (l *Launcher) cleanUpBeside(c *container, patience time.Duration) <-chan error {
	cleaned := make(chan error, 1)
	l.group.Go(func() {
		err := l.cleanUp(c)
		c.watchers.Wait()
		cleaned <- err
	})
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-cleaned:
		cleaned <- err
	case <-late.C:
		c.wait("isolators, to clean up")
	}
	return cleaned
}

// isolatorPatience is how long the end of a container waits for its isolators to clean up.
const isolatorPatience = 3 * time.Second

// finish ends the story of a container, its isolators having been cleaned up as well as they could. What is known of
// its end stays until the container is dismissed, for the case that another agent has to be told.
func (l *Launcher) finish(c *container, err error) {
	if l.ctx.Err() != nil {
		return // the next Recover finishes it
	}
	if err != nil {
		l.log(c).Error("container was not cleaned up", "error", err)
	}
	c.cancel(nil)
	l.emit(containerizer.Cleaned{ID: c.id, Err: err})
	c.mu.Lock()
	c.finished = true
	dismissed := c.dismissed
	c.mu.Unlock()
	if dismissed {
		l.forget(c)
	}
}

// forget removes what was kept of a container that is over and done with.
func (l *Launcher) forget(c *container) {
	l.mu.Lock()
	known := l.containers[c.id] == c
	delete(l.containers, c.id)
	l.mu.Unlock()
	if !known {
		return
	}
	var err error
	if c.runtime != nil {
		err = c.runtime.forget(c)
	}
	if e := l.config.Store.Delete(c.id); e != nil {
		err = errors.Join(err, fmt.Errorf("delete the checkpoint: %w", e))
	}
	if err != nil {
		l.log(c).Error("container was not forgotten", "error", err)
	}
}
