package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	pluginallocator "github.com/mezzo-cluster/mezzo/host/pluginhost/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// pluginAllocator drives the allocator's process as a master does.
type pluginAllocator struct {
	dir    string
	host   *pluginhost.Host
	driver *pluginallocator.Driver
	cancel context.CancelFunc
	ended  chan error
	seq    uint64

	mu       sync.Mutex
	snapshot allocator.Snapshot
	accepted int
	more     chan struct{}
}

func newPluginAllocator(ctx context.Context, bin string) (_ *pluginAllocator, err error) {
	p := &pluginAllocator{ended: make(chan error, 1), more: make(chan struct{}, 1)}
	if p.dir, err = os.MkdirTemp("", "mezzo-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	spec, err := p.spec(bin)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p.host = pluginhost.New(pluginhost.Options{RuntimeDir: filepath.Join(p.dir, "run"), DataDir: filepath.Join(p.dir, "data"), Logger: log})
	if err := p.host.Start(ctx, []pluginhost.Spec{spec}, pluginhost.Strict); err != nil {
		return nil, err
	}
	p.driver = pluginallocator.New(p.host.Of("allocator")[0], p, log)
	return p, nil
}

func (p *pluginAllocator) spec(bin string) (pluginhost.Spec, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	file := filepath.Join(p.dir, "bench.hcl")
	if err := os.WriteFile(file, []byte(fmt.Sprintf("master {\n  data_dir = %q\n}\nplugin \"allocator\" \"drf\" {}\n", p.dir)), 0o600); err != nil {
		return pluginhost.Spec{}, err
	}
	settings, err := config.Load(file)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	plugin := settings.Plugins[0]
	return pluginhost.Spec{Kind: plugin.Kind, Name: plugin.Name, Binary: plugin.Path(bin), Config: plugin}, nil
}

func (p *pluginAllocator) begin(ctx context.Context, s allocator.Snapshot, proposals int) error {
	p.snapshot, p.seq = s, s.Sequence
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	go func() { p.ended <- p.driver.Run(running) }()
	return p.wait(ctx, proposals)
}

func (p *pluginAllocator) update(ctx context.Context, us []allocator.Update, proposals int) error {
	for _, u := range us {
		p.seq++
		p.driver.Update(p.seq, u)
	}
	return p.wait(ctx, proposals)
}

// wait waits until so many proposals have been accepted, and begins to count anew.
func (p *pluginAllocator) wait(ctx context.Context, proposals int) error {
	for {
		p.mu.Lock()
		n := p.accepted
		if n >= proposals {
			p.accepted = 0
		}
		p.mu.Unlock()
		if n >= proposals {
			return nil
		}
		select {
		case <-p.more:
		case err := <-p.ended:
			p.cancel()
			p.cancel = nil
			return errors.Join(errors.New("the driver has ended"), err)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d allocations were proposed: %w", n, proposals, ctx.Err())
		}
	}
}

// halt ends the driver's run, as a master that loses its leadership does.
func (p *pluginAllocator) halt() error {
	if p.cancel == nil {
		return nil
	}
	p.cancel()
	if err := <-p.ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("end the driver: %w", err)
	}
	p.cancel = nil
	return nil
}

func (p *pluginAllocator) close() {
	_ = p.halt()
	if p.host != nil {
		p.host.Stop()
	}
	_ = os.RemoveAll(p.dir)
}

// Pause implements what the driver needs of a master.
func (p *pluginAllocator) Pause(context.Context) error { return nil }

// Snapshot implements what the driver needs of a master.
func (p *pluginAllocator) Snapshot() allocator.Snapshot { return p.snapshot }

// Ready implements what the driver needs of a master.
func (p *pluginAllocator) Ready(context.Context, uint64) error { return nil }

// Propose implements what the driver needs of a master: everything is accepted.
func (p *pluginAllocator) Propose(_ context.Context, generation uint64, proposed []allocator.Allocation) error {
	p.driver.Answer(generation, accept(proposed))
	p.mu.Lock()
	p.accepted += len(proposed)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return nil
}
