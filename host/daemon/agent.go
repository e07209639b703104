package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/agent/durable"
	"github.com/mezzo-cluster/mezzo/host/agent/record"
	"github.com/mezzo-cluster/mezzo/host/agent/runstore"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/effect"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
	"github.com/mezzo-cluster/mezzo/host/link"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/version"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// agentLoop drives the agent's machine.
type agentLoop = effect.Loop[agent.Event, agent.Effect, agent.State]

// agentDaemon is a running agent.
type agentDaemon struct {
	Options
	conf    *config.Agent
	started time.Time
	plugins *pluginhost.Host
	control *access.Control

	isolators []*agentIsolator

	durable  *durable.Store
	runs     *runstore.Store
	boot     string
	contents record.Contents
	unread   int

	listener   net.Listener
	advertised string
	containers containerizer.Containerizer
	loop       *agentLoop
	timers     *timers[agent.TimerID]
	client     *link.Client
	web        *webServer
	measured   *metrics.HTTP
	fetcher    *fetcher.Fetcher

	// recovered holds the loop once there is one, for readers that come earlier.
	recovered atomic.Pointer[agentLoop]
	exited    chan agent.Exit
	failed    chan error
}

// ending says what becomes of an agent's containers when the agent is asked to stop.
type ending bool

const (
	leaveContainers ending = false
	endTasks        ending = true
)

// openAgent opens the agent's stores and reads what an earlier agent has left; run closes them.
func openAgent(o Options) (_ *agentDaemon, err error) {
	a := &agentDaemon{
		Options: o, conf: o.Settings.Agent, started: time.Now().UTC(), measured: metrics.NewHTTP(),
		exited: make(chan agent.Exit, 1), failed: make(chan error, 1),
	}
	a.fetcher = fetcher.New(fetcher.Config{StallTimeout: a.conf.FetcherStallTimeout, FrameworksHome: a.conf.FrameworksHome})
	a.Log = o.Log.With("daemon", "agent")
	if a.durable, err = durable.Open(a.conf.WorkDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.boot, err = runstore.BootID(); err != nil {
		return nil, err
	}
	var found runstore.Recovered
	a.runs, found, err = runstore.Open(filepath.Join(a.conf.WorkDir, "run"), runstore.Options{
		Instance: a.durable.Instance(), Boot: a.boot, Strict: a.conf.Strict, Log: a.Log,
	})
	if err != nil {
		return nil, err
	}
	contents, errs := record.Read(found.Values)
	if a.conf.Strict && !found.Rebooted && len(errs) > 0 {
		return nil, fmt.Errorf("recover from %s: %w (set strict = false to leave out what cannot be read)", a.conf.WorkDir, errors.Join(errs...))
	}
	for _, e := range append(found.Errors, errs...) {
		a.Log.Warn("part of what an earlier agent wrote cannot be read and is left out", "error", e)
		a.unread++
	}
	a.contents = contents
	return a, nil
}

// pluginSettings say how the agent's plugins run.
func (a *agentDaemon) pluginSettings(kinds []string, local bool) pluginSettings {
	return pluginSettings{
		kinds: kinds, dir: a.conf.PluginDir, dataDir: a.conf.WorkDir, local: local,
		recovering: len(a.contents.Containers) > 0,
		sockets:    filepath.Join(a.runtimeDir(), a.durable.Instance()+".plugins"),
	}
}

func (a *agentDaemon) runtimeDir() string {
	if a.conf.RuntimeDir != "" {
		return a.conf.RuntimeDir
	}
	return runtimeRoot()
}

// run recovers, serves until ctx ends or something fails, and closes everything.
func (a *agentDaemon) run(ctx context.Context, h *pluginhost.Host, end ending) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	a.plugins = h
	a.control = control(h, a.Options)
	if err := a.listen(); err != nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go a.control.Run(watching, nil)
	machine, err := a.recover(ctx)
	if err != nil {
		return err
	}
	if err := a.drive(watching, machine); err != nil {
		return err
	}
	a.Log.Info("agent is up", "http", a.listener.Addr().String(), "version", version.Mezzo(), "instance", a.durable.Instance(),
		"work_dir", a.conf.WorkDir, "masters", a.conf.Masters)
	return a.wait(ctx, end)
}

// listen begins to serve HTTP. Until the agent has recovered, what it is asked about its state is answered 503.
func (a *agentDaemon) listen() (err error) {
	if a.listener, err = listen(a.conf.Listen, "the agent's HTTP API"); err != nil {
		return err
	}
	a.advertised = advertised(a.conf.Advertise, a.listener)
	mux, err := a.routes()
	if err != nil {
		return err
	}
	a.web, err = serveHTTP(a.listener, mux, a.measured, a.conf.TLS, a.Log)
	return err
}

// wait waits for the end.
func (a *agentDaemon) wait(ctx context.Context, end ending) error {
	done := ctx.Done()
	leave, stopLeaving := leaveSignal()
	defer stopLeaving()
	for {
		select {
		case <-done:
			if end == leaveContainers {
				a.Log.Info("agent stops; its containers run on")
				return nil
			}
			done = nil
			a.loop.Post(agent.Shutdown{Reason: "the cluster is being stopped"})
		case <-leave:
			a.loop.Post(agent.Shutdown{Reason: "asked to leave the cluster"})
		case e := <-a.exited:
			a.farewell()
			return a.ended(e)
		case err := <-a.web.failed:
			return err
		case err := <-a.failed:
			return err
		}
	}
}

// farewell sees to it that the master reads the last words of an agent that ends: what became of its tasks, and that
// it leaves.
func (a *agentDaemon) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	a.client.Finish(ctx)
}

func (a *agentDaemon) ended(e agent.Exit) error {
	if e.Failed {
		return errors.New(e.Reason)
	}
	a.Log.Info("agent has left", "reason", e.Reason)
	return nil
}

// close ends what is open, in the reverse order. Containers run on.
func (a *agentDaemon) close() error {
	if a.web != nil {
		a.web.stop()
	} else if a.listener != nil {
		_ = a.listener.Close()
	}
	if a.timers != nil {
		a.timers.stop()
	}
	var errs []error
	if a.containers != nil {
		errs = append(errs, a.containers.Close())
	}
	if a.runs != nil {
		errs = append(errs, a.runs.Close())
	}
	// Folders that still hold something are left, for the next agent to find.
	_ = os.Remove(filepath.Join(a.runtimeDir(), a.durable.Instance()))
	_ = os.Remove(runtimeRoot())
	return errors.Join(append(errs, a.durable.Close())...)
}

// State implements what the API needs: nil until the agent has recovered.
func (a *agentDaemon) State() *agent.State {
	if l := a.recovered.Load(); l != nil {
		return l.State()
	}
	return nil
}

// Usage implements what the API needs.
func (a *agentDaemon) Usage(ctx context.Context, ids []string) (map[string]isolator.Usage, error) {
	return a.containers.Usage(ctx, ids)
}
