package pluginhost

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Conn leads each call to the process that is the plugin's at that moment. It is meant for the generated
// clients of the contracts; errors are to be given to [Plugin.Wrap].
type Conn struct {
	plugin *Plugin
	wait   bool
}

// Conn is for calls that fail with ErrDown while the plugin is down. A call waits while the plugin is being
// replaced.
func (p *Plugin) Conn() *Conn { return &Conn{plugin: p} }

// WaitingConn is for calls that wait for the plugin until their context ends, and that are tried again when
// the plugin answers that it may work another time. Only calls that may be repeated go through it.
func (p *Plugin) WaitingConn() *Conn { return &Conn{plugin: p, wait: true} }

// Invoke makes a call, within the plugin's timeout for each try.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	pause := 20 * time.Millisecond
	for {
		err := c.try(ctx, method, args, reply, opts...)
		if err == nil || !c.wait || !retryable(status.Code(err)) || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause = min(2*pause, 2*time.Second)
	}
}

func (c *Conn) try(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	target, err := c.plugin.route.acquire(ctx, c.wait)
	if err != nil || target == nil {
		return c.plugin.down(err)
	}
	defer c.plugin.route.release(target)
	ctx, cancel := context.WithTimeout(ctx, c.plugin.callTimeout())
	defer cancel()
	begin := time.Now()
	err = target.conn.Invoke(ctx, method, args, reply, opts...)
	c.plugin.metrics.observe(method, time.Since(begin), status.Code(err))
	return err
}

// NewStream opens a stream. It ends with the process that it leads to, also when that is replaced.
func (c *Conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	target, err := c.plugin.route.acquire(ctx, c.wait)
	if err != nil || target == nil {
		return nil, c.plugin.down(err)
	}
	defer c.plugin.route.release(target)
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(target.streams, cancel)
	stream, err := target.conn.NewStream(ctx, desc, method, opts...)
	if err != nil {
		detach()
		cancel()
		c.plugin.metrics.observe(method, 0, status.Code(err))
		return nil, err
	}
	// gRPC's context of the stream ends when the stream does, whoever ended it.
	context.AfterFunc(stream.Context(), func() {
		detach()
		cancel()
	})
	return stream, nil
}

// down is the error while there is no process.
func (p *Plugin) down(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.lastErr != nil {
		return fmt.Errorf("%w (%s): %w", ErrDown, p.machine.State(), p.lastErr)
	}
	if err != nil {
		return fmt.Errorf("%w (%s): %w", ErrDown, p.machine.State(), err)
	}
	return fmt.Errorf("%w (%s)", ErrDown, p.machine.State())
}

func retryable(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
		return true
	default:
		return false
	}
}

func (p *Plugin) callTimeout() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spec.Timeout > 0 {
		return p.spec.Timeout
	}
	return callTimeouts[p.spec.Kind]
}
