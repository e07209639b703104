package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	pluginauthorizer "github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
)

// Options say what to run.
type Options struct {
	Settings *config.Settings
	// Path is the configuration's file or folder, which is read again when a plugin is reloaded.
	Path string
	Log  *slog.Logger
}

// runtimeRoot is where sockets and the runtime folders of containers are: what need not outlive a reboot.
func runtimeRoot() string {
	if os.Geteuid() == 0 {
		return "/run/mezzo"
	}
	return filepath.Join(os.TempDir(), "mezzo-"+strconv.Itoa(os.Geteuid()))
}

// shortName names a folder by its path, for a place where long paths do not fit.
func shortName(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:6])
}

// errStopped says that a daemon was told to stop before its plugins were up.
var errStopped = errors.New("stopped before it was up")

// unlessStopped is the error of a start, if it is one: that of a daemon which was told to stop is none.
func (o Options) unlessStopped(err error) error {
	if errors.Is(err, errStopped) {
		o.Log.Info(errStopped.Error())
		return nil
	}
	return err
}

// startPlugins starts the plugins of some kinds.
func startPlugins(ctx context.Context, o Options, p pluginSettings) (*pluginhost.Host, error) {
	specs, err := pluginSpecs(o.Settings, p.dir, p.kinds...)
	if err != nil {
		return nil, err
	}
	h := pluginhost.New(pluginhost.Options{
		RuntimeDir: p.sockets, DataDir: filepath.Join(p.dataDir, "plugins"), RequireChecksum: !p.local, Logger: o.Log,
		Cgroup: "mezzo/" + filepath.Base(p.sockets), Seed: uint64(time.Now().UnixNano()),
	})
	mode := pluginhost.Strict
	if p.recovering {
		mode = pluginhost.Degraded
	}
	err = h.Start(ctx, specs, mode)
	switch {
	case errors.Is(err, pluginhost.ErrInUse):
		return nil, fmt.Errorf("%s is in use: %w", p.dataDir, err)
	case err != nil && ctx.Err() != nil:
		return nil, errStopped
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// stopPlugins stops the plugins, and removes the folder of all daemons' sockets if nobody else is in it.
func stopPlugins(h *pluginhost.Host) {
	h.Stop()
	_ = os.Remove(runtimeRoot())
}

type pluginSettings struct {
	kinds []string
	// dir is where the programs are, dataDir where the plugins keep their data, sockets where they listen. The name of
	// the last one is that of the cgroup in which plugins have theirs: no agent's, whose isolator takes what it does not
	// know in there for a container.
	dir, dataDir, sockets string
	// local is set for `mezzo local`, which needs no checksums.
	local bool
	// recovering is set for a daemon that has something to recover: it starts even if a plugin does not.
	recovering bool
}

// control returns who decides what callers may do: the authorizer plugin, or nobody, which the log says.
func control(h *pluginhost.Host, o Options) *access.Control {
	if plugins := h.Of("authorizer"); len(plugins) > 0 {
		return access.NewControl(pluginauthorizer.New(plugins[0]))
	}
	o.Log.Warn("no authorizer is configured: everybody may do and see everything")
	return access.NewControl(nil)
}

// warn logs what the configuration wants said at every start.
func (o Options) warn() {
	for _, w := range o.Settings.Warnings {
		o.Log.Warn(w)
	}
}

// RunMaster runs a master until ctx ends or it fails.
func RunMaster(ctx context.Context, o Options) error {
	hangups := hangupSignal()
	o.warn()
	conf := o.Settings.Master
	if err := checkFiles(conf.TLS, conf.Authentication); err != nil {
		return err
	}
	h, err := startPlugins(ctx, o, pluginSettings{
		kinds: masterKinds, dir: conf.PluginDir, dataDir: conf.DataDir, recovering: hasRegistry(conf.DataDir),
		sockets: filepath.Join(runtimeRoot(), "master-"+shortName(conf.DataDir)),
	})
	if err != nil {
		return o.unlessStopped(err)
	}
	defer stopPlugins(h)
	m, err := newMaster(o, h)
	if err != nil {
		return err
	}
	reloadOnHangup(ctx, hangups, o, h, conf.PluginDir, masterKinds)
	return m.run(ctx)
}

// RunAgent runs an agent until ctx ends or it fails. Its containers run on.
func RunAgent(ctx context.Context, o Options) error {
	hangups := hangupSignal()
	o.warn()
	if err := checkFiles(o.Settings.Agent.TLS, o.Settings.Agent.Authentication); err != nil {
		return err
	}
	a, err := openAgent(o)
	if err != nil {
		return err
	}
	h, err := startPlugins(ctx, o, a.pluginSettings(agentKinds, false))
	if err != nil {
		return errors.Join(o.unlessStopped(err), a.close())
	}
	defer stopPlugins(h)
	reloadOnHangup(ctx, hangups, o, h, a.conf.PluginDir, agentKinds)
	return a.run(ctx, h, leaveContainers)
}

// RunLocal runs a master and an agent in this process, with one set of plugins, until ctx ends or one of them
// fails. At the end the agent's tasks are ended.
func RunLocal(ctx context.Context, o Options) error {
	hangups := hangupSignal()
	o.warn()
	masterConf, agentConf := o.Settings.Master, o.Settings.Agent
	if err := errors.Join(
		checkFiles(masterConf.TLS, masterConf.Authentication), checkFiles(agentConf.TLS, agentConf.Authentication)); err != nil {
		return err
	}
	a, err := openAgent(o)
	if err != nil {
		return err
	}
	p := a.pluginSettings(config.Kinds(), true)
	p.recovering = p.recovering || hasRegistry(o.Settings.Master.DataDir)
	h, err := startPlugins(ctx, o, p)
	if err != nil {
		return errors.Join(o.unlessStopped(err), a.close())
	}
	defer stopPlugins(h)
	reloadOnHangup(ctx, hangups, o, h, a.conf.PluginDir, config.Kinds())
	m, err := newMaster(o, h)
	if err != nil {
		return errors.Join(err, a.close())
	}
	return runBoth(ctx, m, a, h)
}

// runBoth ends the agent first: it tells the master what has become of its tasks.
func runBoth(ctx context.Context, m *masterDaemon, a *agentDaemon, h *pluginhost.Host) error {
	agentCtx, stopAgent := context.WithCancel(ctx)
	defer stopAgent()
	masterCtx, stopMaster := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMaster()
	master := make(chan error, 1)
	go func() {
		err := m.run(masterCtx)
		stopAgent()
		master <- err
	}()
	err := a.run(agentCtx, h, endTasks)
	stopMaster()
	return errors.Join(err, <-master)
}

// problems are why a daemon is not healthy.
func problems(h *pluginhost.Host, more ...func() []string) func() []string {
	return func() []string {
		all := h.Problems()
		for _, f := range more {
			all = append(all, f()...)
		}
		return all
	}
}
