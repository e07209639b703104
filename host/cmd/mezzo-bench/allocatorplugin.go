package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	pluginallocator "github.com/mezzo-cluster/mezzo/host/pluginhost/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// allocatorProcess is the DRF allocator's process, with the plugin host that it belongs to.
type allocatorProcess struct {
	dir  string
	host *pluginhost.Host
	log  *slog.Logger
}

func newAllocatorProcess(ctx context.Context, bin string) (_ *allocatorProcess, err error) {
	p := &allocatorProcess{log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
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
	p.host = pluginhost.New(pluginhost.Options{RuntimeDir: filepath.Join(p.dir, "run"), DataDir: filepath.Join(p.dir, "data"), Logger: p.log})
	return p, p.host.Start(ctx, []pluginhost.Spec{spec}, pluginhost.Strict)
}

// benchInterval is so short an allocation_interval that what is given back is offered again at once.
const benchInterval = time.Microsecond

func (p *allocatorProcess) spec(bin string) (pluginhost.Spec, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	file := filepath.Join(p.dir, "bench.hcl")
	text := fmt.Sprintf("master {\n  data_dir = %q\n}\nplugin \"allocator\" \"drf\" {\n  config {\n    allocation_interval = %q\n  }\n}\n", p.dir, benchInterval)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return pluginhost.Spec{}, err
	}
	settings, err := config.Load(file)
	if err != nil {
		return pluginhost.Spec{}, err
	}
	plugin := settings.Plugins[0]
	return pluginhost.Spec{Kind: plugin.Kind, Name: plugin.Name, Binary: plugin.Path(bin), Config: plugin}, nil
}

// driver has the process work for a master, while it works for no other.
func (p *allocatorProcess) driver(m pluginallocator.Master) *driver {
	return &driver{Driver: pluginallocator.New(p.host.Of("allocator")[0], m, p.log), ended: make(chan error, 1)}
}

func (p *allocatorProcess) close() {
	if p.host != nil {
		p.host.Stop()
	}
	_ = os.RemoveAll(p.dir)
}

// driver is a plugin's driver that begins and ends as masters do.
type driver struct {
	*pluginallocator.Driver
	cancel context.CancelFunc
	ended  chan error
}

func (d *driver) begin(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	go func() { d.ended <- d.Run(running) }()
	return nil
}

func (d *driver) halt(context.Context) error {
	if d.cancel == nil {
		return nil
	}
	d.cancel()
	d.cancel = nil
	if err := <-d.ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("end the driver: %w", err)
	}
	return nil
}

func (d *driver) round(context.Context) error { return nil }

// pluginAllocator drives the allocator's process, and accepts what it proposes.
type pluginAllocator struct {
	driver *driver
	seq    uint64

	mu       sync.Mutex
	snapshot allocator.Snapshot
	accepted int
	more     chan struct{}
}

func newPluginAllocator(process *allocatorProcess) *pluginAllocator {
	p := &pluginAllocator{more: make(chan struct{}, 1)}
	p.driver = process.driver(p)
	return p
}

func (p *pluginAllocator) begin(ctx context.Context, s allocator.Snapshot, proposals int) error {
	p.snapshot, p.seq = s, s.Sequence
	if err := p.driver.begin(ctx); err != nil {
		return err
	}
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
		case <-ctx.Done():
			return fmt.Errorf("%d of %d allocations were proposed: %w", n, proposals, ctx.Err())
		}
	}
}

func (p *pluginAllocator) halt(ctx context.Context) error { return p.driver.halt(ctx) }

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
