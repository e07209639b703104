package pluginhost

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/process"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake/clientcert"
)

// link is a started process and the connection to it.
type link struct {
	process atomic.Pointer[process.Process] // nil until it is started
	client  *goplugin.Client
	conn    *grpc.ClientConn // nil until connected
	dir     string
	cgroup  *cgroup.Group // nil for a plugin without
	output  *output
	sha256  string
}

// launch starts the program and shakes hands with it. What it fails with names the binary.
func launch(ctx context.Context, o Options, s Spec, log *output) (_ *link, err error) {
	l := &link{output: log}
	defer func() {
		if err != nil {
			l.end(o)
		}
	}()
	if s.SHA256 == "" && o.RequireChecksum {
		return nil, s.at("sha256", fmt.Errorf("no sha256 is configured for %s, and plugins are only started with one: `mezzo plugin lock FILE` pins "+
			"all of a configuration's, and sha256sum %s prints it", s.Binary, s.Binary))
	}
	if s.Plain && !process.UnixSockets {
		return nil, s.at("tls", errors.New("on this system plugins listen on TCP, and are not spoken to without TLS; leave tls out"))
	}
	// Each start opens and hashes anew: a replaced file must not run under an old checksum.
	binary, err := process.OpenBinary(s.Binary, s.SHA256)
	switch {
	case errors.Is(err, process.ErrChecksum):
		return nil, s.at("sha256", err)
	case errors.Is(err, fs.ErrNotExist) && s.Config != nil:
		return nil, s.at("binary", fmt.Errorf("%w; put it there, or say where it is by plugin_dir, or by binary in the plugin's block", err))
	case err != nil:
		return nil, s.at("binary", err)
	}
	defer binary.Close()
	l.sha256 = binary.SHA256
	if l.dir, err = socketDir(o.RuntimeDir); err != nil {
		return nil, err
	}
	encrypted, certificate, err := clientcert.New()
	if err != nil {
		return nil, err
	}
	if s.Cgroup != nil {
		if l.cgroup, err = cgroup.Make(o.Cgroup, s.Kind+"-"+s.Name, *s.Cgroup); err != nil {
			return nil, s.at("cgroup", err)
		}
	}
	l.client = goplugin.NewClient(l.clientConfig(o, s, binary, encrypted, certificate))
	if err := l.connect(ctx); err != nil {
		err = fmt.Errorf("start %s: %w%s", s.Binary, err, log.said())
		if l.process.Load() == nil && ctx.Err() == nil { // who is to run it is not known
			err = s.at(owner(s), err)
		}
		return nil, err
	}
	if !s.Plain && encrypted.RootCAs == nil {
		return nil, fmt.Errorf(`start %s: it does no TLS: its first line ends without a certificate; say tls = "off" in its block, or --tls off on the command line`, s.Binary)
	}
	return l, nil
}

// owner is the attribute that says who runs the plugin.
func owner(s Spec) string {
	if s.User != "" {
		return "user"
	}
	return "group"
}

// socketDir makes a folder for one process. Its owner alone may enter the folder that go-plugin makes in it. The parent
// is made anew where somebody has removed it, such as who cleans up /run.
func socketDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "")
	if errors.Is(err, os.ErrNotExist) {
		// Plugins that run as others pass through it, whatever the umask.
		if err = errors.Join(os.MkdirAll(parent, 0o711), os.Chmod(parent, 0o711)); err == nil {
			dir, err = os.MkdirTemp(parent, "")
		}
	}
	if err != nil {
		return "", fmt.Errorf("make a socket folder: %w", err)
	}
	// go-plugin adds "/plugin-dir" and "/plugin", each with ten random digits; a socket's path ends at 107.
	if process.UnixSockets && len(dir)+len("/plugin-dir4294967295/plugin4294967295") > 107 {
		os.RemoveAll(dir)
		return "", fmt.Errorf("the folder %s is too deep for sockets, whose paths have at most 107 bytes; choose a shorter one", parent)
	}
	return dir, os.Chmod(dir, 0o711)
}

func (l *link) clientConfig(o Options, s Spec, binary *process.Binary, encrypted *tls.Config, certificate string) *goplugin.ClientConfig {
	dial := []grpc.DialOption{
		grpc.WithContextDialer(l.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(handshake.MaxMessage), grpc.MaxCallSendMsgSize(handshake.MaxMessage)),
		// Both ends are on one machine, so what matters is to wait for each other as little as possible.
		grpc.WithInitialWindowSize(4 << 20),
		grpc.WithInitialConnWindowSize(16 << 20),
	}
	if s.Plain {
		dial = append(dial, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	return &goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: handshake.ProtocolVersion, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins:          goplugin.PluginSet{},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		// Also with a plain connection, whose credentials are among the dial options: go-plugin takes it for
		// granted when a plugin's first line has a certificate.
		TLSConfig:        encrypted,
		StartTimeout:     o.StartTimeout,
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       l.output.stdout(),
		SyncStderr:       l.output.stderr(),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: l.dir},
		GRPCDialOptions:  dial,
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			env := append(cmd.Env, handshake.WatchStdin+"=1", handshake.LogLevel+"="+logLevel(o.Logger))
			if !s.Plain {
				env = append(env, clientcert.Variable+"="+certificate)
			}
			for _, name := range s.Env {
				if value, ok := os.LookupEnv(name); ok {
					env = append(env, name+"="+value)
				}
			}
			p, err := process.New(process.Spec{
				Binary: binary, Name: s.processName(), LinkDir: l.dir, Env: env, User: s.User, Group: s.Group, SocketDir: dir,
				Cgroup: l.cgroup, Stdout: l.output.stdout(), Stderr: l.output.stderr(),
			})
			if err != nil {
				return nil, err
			}
			l.process.Store(p)
			return p, nil
		},
	}
}

// connect starts the process and waits for its handshake. go-plugin's own waits do not end with a context,
// but with the process.
func (l *link) connect(ctx context.Context) error {
	type result struct {
		client goplugin.ClientProtocol
		err    error
	}
	done := make(chan result, 1)
	go func() {
		c, err := l.client.Client()
		done <- result{c, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		// The process may not exist yet; go-plugin's own timeout, which is ours, ends the start then.
		for r.client == nil && r.err == nil {
			l.kill()
			select {
			case r = <-done:
			case <-time.After(10 * time.Millisecond):
			}
		}
		if r.err == nil {
			r.err = ctx.Err()
		}
	}
	if r.err != nil {
		return l.explain(ctx, r.err)
	}
	l.conn = r.client.(*goplugin.GRPCClient).Conn
	return nil
}

// explain says why a start failed in better words than go-plugin, which sees only pipes.
func (l *link) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("it was not ready in time: %w", ctx.Err())
	}
	p := l.process.Load()
	if p == nil {
		return err
	}
	select {
	case <-p.Exited():
		if p.PID() != 0 && !p.Killed() {
			return fmt.Errorf("it ended before it was ready: %s", p.ExitText())
		}
	case <-time.After(time.Second):
	}
	return l.noHandshake(err)
}

// noHandshake says what go-plugin found in the handshake's place; another error it leaves as it is.
func (l *link) noHandshake(err error) error {
	const found, late = "Unrecognized remote plugin message: ", "timeout while waiting for plugin to start"
	const expected = "the line `1|1|unix|SOCKET|grpc|` on stdout, with nothing before it"
	line, unrecognized := strings.CutPrefix(err.Error(), found)
	switch {
	case unrecognized:
		line, _, _ = strings.Cut(line, "\n")
		if most := 100; len(line) > most {
			line = strings.ToValidUTF8(line[:most], "") + "…"
		}
		return fmt.Errorf("it printed %q where the host expects %s", line, expected)
	case err.Error() == late:
		return fmt.Errorf("it did not print what the host expects: %s", expected)
	default:
		return err
	}
}

// dial connects to the plugin's socket, if the plugin's user is who listens there.
func (l *link) dial(ctx context.Context, _ string) (net.Conn, error) {
	p := l.process.Load()
	network, address := p.Address()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	peer, ok := conn.(syscall.Conn)
	if network != "unix" || !ok {
		return conn, nil
	}
	uid, err := process.PeerUID(peer)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return conn, nil
	case err != nil:
		conn.Close()
		return nil, fmt.Errorf("ask who listens at %s: %w", filepath.Base(address), err)
	case uid != p.UID():
		conn.Close()
		return nil, fmt.Errorf("the socket belongs to user %d, not to the plugin's, %d", uid, p.UID())
	}
	return conn, nil
}

func (l *link) kill() {
	if p := l.process.Load(); p != nil {
		_ = p.Kill(context.Background())
	}
}
