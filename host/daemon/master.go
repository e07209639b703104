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
	"github.com/mezzo-cluster/mezzo/host/api"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/link"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/registry"
	"github.com/mezzo-cluster/mezzo/host/registry/raftstore"
	"github.com/mezzo-cluster/mezzo/host/version"
)

// masterDaemon is a running master. While it leads, it has a reign.
type masterDaemon struct {
	Options
	conf    *config.Master
	started time.Time
	plugins *pluginhost.Host
	control *access.Control
	replies *answer.Desk

	listener   net.Listener
	advertised string
	hostname   string
	store      *raftstore.Store
	link       *link.Server
	linkErr    chan error
	api        *api.Master
	web        *webServer
	measured   *metrics.HTTP

	reign atomic.Pointer[reign]
}

// registryDir is the folder of the registry within the master's data.
func registryDir(dataDir string) string { return filepath.Join(dataDir, "registry") }

// hasRegistry tells whether a master has been here before.
func hasRegistry(dataDir string) bool {
	_, err := os.Stat(filepath.Join(registryDir(dataDir), "raft.db"))
	return err == nil
}

// newMaster opens everything a master needs; run closes it. On an error nothing stays open.
func newMaster(o Options, h *pluginhost.Host) (_ *masterDaemon, err error) {
	m := &masterDaemon{
		Options: o, conf: o.Settings.Master, started: time.Now().UTC(), plugins: h,
		replies: answer.NewDesk(), linkErr: make(chan error, 1), measured: metrics.NewHTTP(),
	}
	m.Log = o.Log.With("daemon", "master")
	m.control = control(h, m.Options)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if m.hostname, err = hostname(m.conf.Hostname); err != nil {
		return nil, err
	}
	if m.listener, err = listen(m.conf.Listen, "the master's HTTP API"); err != nil {
		return nil, err
	}
	m.advertised = advertised(m.conf.Advertise, m.listener)
	agents, err := m.openLink()
	if err != nil {
		return nil, err
	}
	return m, m.openStore(agents)
}

// openLink begins to listen for agents, and returns where.
func (m *masterDaemon) openLink() (string, error) {
	creds, err := linkCredentials(m.conf.TLS)
	if err != nil {
		return "", err
	}
	l, err := listen(m.conf.AgentListen, "agents")
	if err != nil {
		return "", err
	}
	m.link = link.NewServer(creds, m.Log)
	go func() { m.linkErr <- m.link.Serve(l) }()
	return l.Addr().String(), nil
}

func (m *masterDaemon) openStore(agents string) error {
	mutual, err := mutualTLS(m.conf.TLS)
	if err != nil {
		return err
	}
	l, err := listen(m.conf.RaftListen, "the other masters")
	if err != nil {
		return err
	}
	m.store, err = raftstore.Open(raftstore.Options{
		Dir: registryDir(m.conf.DataDir), Listener: l, TLS: mutual, Log: m.Log,
		Member: registry.Member{HTTP: m.advertised, Agents: agents, Raft: l.Addr().String(), Version: version.Mezzo()},
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return nil
}

// advertised is where clients are told to reach a listener.
func advertised(configured string, l net.Listener) string {
	if configured != "" {
		return configured
	}
	return l.Addr().String()
}

// run serves until ctx ends or something fails, and closes everything.
func (m *masterDaemon) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.routes(); err != nil {
		return err
	}
	if m.web, err = serveHTTP(m.listener, m.api, m.measured, m.conf.TLS, m.Log); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go m.control.Run(watching, nil)
	go m.watchAuthorizer(watching)
	m.Log.Info("master is up", "http", m.listener.Addr().String(), "version", version.Mezzo(), "server", m.store.ServerID())
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-m.web.failed:
			return err
		case err := <-m.linkErr:
			return fmt.Errorf("serve agents: %w", err)
		case err := <-m.store.Failed():
			return fmt.Errorf("%w; start the master again when it can write", err)
		case l, ok := <-m.store.Leadership():
			if !ok {
				return errors.New("the registry has stopped")
			}
			if err := m.lead(l); err != nil {
				return err
			}
		case err := <-m.failed():
			return err
		}
	}
}

// failed is the channel on which the present reign tells why it ended; nil while there is none.
func (m *masterDaemon) failed() <-chan error {
	if r := m.reign.Load(); r != nil {
		return r.failed
	}
	return nil
}

// lead begins a reign, or ends the present one.
func (m *masterDaemon) lead(l raftstore.Leadership) error {
	m.endReign()
	if l.Epoch == 0 {
		leader, _ := m.store.Leader()
		m.link.Follow(leader.Agents)
		m.Log.Warn("this master no longer leads", "leader", leader.HTTP)
		return nil
	}
	r, err := m.newReign(l)
	if err != nil {
		return err
	}
	m.reign.Store(r)
	r.start()
	m.Log.Info("this master leads", "epoch", l.Epoch, "master", r.id, "agents", len(l.State.Agents))
	return nil
}

func (m *masterDaemon) endReign() {
	if r := m.reign.Swap(nil); r != nil {
		r.end()
	}
}

// close ends what is open, in the reverse order.
func (m *masterDaemon) close() error {
	m.endReign()
	if m.web != nil {
		m.web.stop()
	} else if m.listener != nil {
		_ = m.listener.Close()
	}
	if m.link != nil {
		m.link.Stop()
	}
	if m.store != nil {
		return m.store.Close()
	}
	return nil
}

// State implements what the API needs: the published state, nil while this master does not lead.
func (m *masterDaemon) State() *master.State {
	if r := m.reign.Load(); r != nil {
		return r.loop.State()
	}
	return nil
}

// errNotLeading is returned for events that come when there is nobody to deal with them.
var errNotLeading = endpoint.Unavailable(time.Second, "This master does not lead any more")

// Enqueue implements what the API needs.
func (m *masterDaemon) Enqueue(ctx context.Context, event master.Event) error {
	if r := m.reign.Load(); r != nil {
		return r.loop.Enqueue(ctx, event)
	}
	return errNotLeading
}

// Leader implements endpoint.Leadership.
func (m *masterDaemon) Leader() endpoint.Leader {
	if m.reign.Load() != nil {
		return endpoint.Leader{Self: true, Ready: true, Address: m.advertised}
	}
	member, known := m.store.Leader()
	return endpoint.Leader{Self: known && member.HTTP == m.advertised, Address: member.HTTP}
}

// watchAuthorizer tells the machine when nobody can be authorized, since then nobody may be removed for not having
// come back.
func (m *masterDaemon) watchAuthorizer(ctx context.Context) {
	plugins := m.plugins.Of("authorizer")
	if len(plugins) == 0 {
		return
	}
	ticker := time.NewTicker(authorizerPoll)
	defer ticker.Stop()
	var told *reign
	up := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		r, ready := m.reign.Load(), isReady(plugins[0])
		if r == nil || r == told && ready == up {
			continue
		}
		if r != told && ready {
			told, up = r, true // a machine begins with the authorizer at work
			continue
		}
		told, up = r, ready
		if ready {
			r.loop.Post(master.AuthorizerReady{})
		} else {
			r.loop.Post(master.AuthorizerDown{})
		}
	}
}

// authorizerPoll is how often the authorizer's state is looked at. The timers it holds up run for many seconds.
const authorizerPoll = 250 * time.Millisecond
