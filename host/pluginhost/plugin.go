package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

// Plugin is one plugin of a host, over all its processes.
type Plugin struct {
	options Options
	logger  *slog.Logger
	route   *route
	metrics metrics
	orders  chan order // for the supervisor: replacements
	done    chan struct{}

	mu      sync.Mutex
	spec    Spec
	machine *supervise.Machine
	current *instance    // nil while there is none
	said    *Description // by the present process, or the last one
	lastErr error        // why the last process ended or did not start; kept when there is another
	problem string       // what the present process cannot do, though it works
	onStart RecoverFunc
	alarm   time.Time // since when it is failed
	nextTry time.Time // when it is started again
}

// RecoverFunc is called with each new process of a plugin and what that says about itself, after it was
// configured and before it gets any other call. A process that it returns an error for is not used.
type RecoverFunc func(ctx context.Context, conn grpc.ClientConnInterface, d *Description) error

// order asks the supervisor to replace the process.
type order struct {
	ctx   context.Context
	spec  Spec
	reply chan error
}

func newPlugin(o Options, s Spec, seed uint64) *Plugin {
	return &Plugin{
		options: o,
		logger:  o.Logger.With("kind", s.Kind, "plugin", s.Name),
		route:   newRoute(),
		orders:  make(chan order),
		done:    make(chan struct{}),
		spec:    s,
		machine: supervise.New(rand.New(rand.NewPCG(o.Seed, seed))),
	}
}

// String is how errors name the plugin: `allocator "drf"`.
func (p *Plugin) String() string { return p.Spec().String() }

// Spec is how the plugin is run now.
func (p *Plugin) Spec() Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spec
}

// Description is what the present process says about the plugin, or the last one said; nil when there was
// none. It is not to be changed.
func (p *Plugin) Description() *Description {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said
}

// OnStart sets what is to be done with each process that is started from now on. It is not called for the
// present one.
func (p *Plugin) OnStart(f RecoverFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onStart = f
}

// Report notes what a plugin that works says it cannot do, such as take a changed policy; empty when there is nothing any
// more. Health reports and lists show it, until the process is another one.
func (p *Plugin) Report(problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.problem = problem
	}
}

// start makes the first or the next process. The machine must be in the state Starting; after an error that is not the
// end of the host, ended is to be called.
func (p *Plugin) start(ctx context.Context) error {
	spec := p.Spec()
	i, err := newInstance(ctx, p.options, spec, newOutput(p.logger))
	if err == nil {
		if err = p.recovered(ctx, i); err != nil {
			i.endStreams()
			i.stop(p.options)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", spec, err)
	}
	p.install(i, supervise.Started)
	return nil
}

func (p *Plugin) recovered(ctx context.Context, i *instance) error {
	p.mu.Lock()
	f := p.onStart
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.StartTimeout)
	defer cancel()
	if err := f(ctx, i.conn, &i.description); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	return nil
}

// install makes a configured process the one that is called.
func (p *Plugin) install(i *instance, event supervise.Event) {
	p.mu.Lock()
	p.current, p.said, p.problem, p.alarm = i, &i.description, "", time.Time{}
	p.machine.Step(time.Now(), event)
	p.mu.Unlock()
	p.route.set(i)
	go func() {
		// Calls are not led to a dead process, however busy the supervisor is.
		<-i.exited()
		p.route.drop(i)
		i.endStreams()
	}()
	p.logger.Info("plugin is ready", "version", i.description.Version, "pid", i.process.Load().PID(), "binary", p.Spec().Binary)
}

// ended notes that there is no process now, and says what to do.
func (p *Plugin) ended(err error) supervise.Action {
	p.mu.Lock()
	p.current, p.lastErr, p.problem = nil, err, ""
	action := p.machine.Step(time.Now(), supervise.Ended)
	if action.Alarm {
		p.alarm = time.Now()
	}
	state := p.machine.State()
	p.mu.Unlock()
	if state == supervise.Stopping {
		return action
	}
	p.logger.Warn("plugin is down", "state", string(state), "error", err.Error(), "retry_in", action.Wait.Round(time.Millisecond).String())
	if action.Alarm {
		p.logger.Error("plugin keeps failing", "error", err.Error())
	}
	p.mu.Lock()
	p.nextTry = time.Now().Add(action.Wait)
	p.mu.Unlock()
	return action
}

var errStopped = errors.New("the host is stopping")
