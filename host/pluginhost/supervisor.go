package pluginhost

import (
	"context"
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

// supervise watches the plugin until ctx ends, and then stops it. The plugin was started once, well or not.
func (p *Plugin) supervise(ctx context.Context) {
	defer close(p.done)
	health := time.NewTicker(p.options.HealthInterval)
	defer health.Stop()
	missed := 0
	for {
		current, wait := p.situation()
		var exited <-chan struct{}
		if current != nil {
			exited = current.exited()
		}
		var retry <-chan time.Time
		if current == nil {
			retry = time.After(wait)
		}
		select {
		case <-ctx.Done():
			p.halt()
			return
		case <-exited:
			missed = 0
			p.buried(current)
		case <-health.C:
			missed = p.checkHealth(ctx, current, missed)
		case <-retry:
			p.again(ctx)
		case o := <-p.orders:
			missed = 0
			o.reply <- p.replace(o.ctx, o.spec)
		}
	}
}

// situation is the present process, or how long there is to wait for the next.
func (p *Plugin) situation() (*instance, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current, max(0, time.Until(p.nextTry))
}

// again starts the plugin after a back-off.
func (p *Plugin) again(ctx context.Context) {
	p.mu.Lock()
	action := p.machine.Step(time.Now(), supervise.Waited)
	p.mu.Unlock()
	if action.Start {
		if err := p.start(ctx); err != nil {
			p.ended(err)
		}
	}
}

// buried takes note of a process that has ended by itself, and cleans up after it.
func (p *Plugin) buried(i *instance) {
	p.route.drop(i)
	i.endStreams()
	i.end(p.options)
	p.ended(fmt.Errorf("the process ended: %s%s", i.process.Load().ExitText(), i.output.said()))
}

// maxMissed is how many health checks in a row may fail.
const maxMissed = 2

// checkHealth ends a process that no longer answers, and returns how many checks were missed in a row.
func (p *Plugin) checkHealth(ctx context.Context, i *instance, missed int) int {
	if i == nil {
		return 0
	}
	err := i.healthy(ctx, p.options.HealthTimeout)
	if err == nil || ctx.Err() != nil {
		return 0
	}
	if i.exitedWithin(time.Second) {
		return 0 // the connection broke because the process ended, which is seen by itself
	}
	if missed++; missed < maxMissed {
		p.logger.Warn("plugin missed a health check", "error", err.Error())
		return missed
	}
	p.route.drop(i)
	i.endStreams()
	i.end(p.options)
	p.ended(fmt.Errorf("killed, since it no longer answered: %w", err))
	return 0
}

// halt stops the plugin for good.
func (p *Plugin) halt() {
	p.mu.Lock()
	current := p.current
	p.current, p.lastErr, p.problem = nil, errStopped, ""
	p.machine.Step(time.Now(), supervise.Stop)
	p.mu.Unlock()
	p.route.set(nil)
	if current != nil {
		current.drain(p.options)
		current.endStreams()
		current.stop(p.options)
		p.logger.Info("plugin stopped")
	}
}

// replace puts a process with another specification in the place of the present one. If a step fails the
// present one goes on as if nothing had been.
func (p *Plugin) replace(ctx context.Context, s Spec) (err error) {
	i, err := newInstance(ctx, p.options, s, newOutput(p.logger))
	if err != nil {
		return fmt.Errorf("%s: reload: %w", s, err)
	}
	p.route.hold()
	defer func() {
		if err != nil {
			p.route.unhold()
			i.endStreams()
			i.stop(p.options)
		}
	}()
	old, _ := p.situation()
	if old != nil {
		drain, cancel := context.WithTimeout(ctx, p.options.DrainTimeout)
		defer cancel()
		if left := p.route.drained(drain, old); left > 0 {
			return fmt.Errorf("%s: reload: %d calls to the present process did not end in time; it goes on", s, left)
		}
	}
	if err := p.recovered(ctx, i); err != nil {
		return fmt.Errorf("%s: reload: %w; the present process goes on", s, err)
	}
	p.mu.Lock()
	p.spec = s
	p.mu.Unlock()
	if old != nil {
		// Streams end before others are opened to the new process: only one of them acts at a time.
		old.endStreams()
	}
	p.install(i, supervise.Replaced)
	if old != nil {
		old.drain(p.options)
		old.stop(p.options)
	}
	return nil
}
