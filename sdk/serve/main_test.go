package serve_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// testPlugin is the environment variable that says which plugin this program is to be: the tests start
// themselves as plugins.
const testPlugin = "MEZZO_TEST_PLUGIN"

// stdinPipe is the descriptor that a test's plugin takes for its stdin: go-plugin's client gives its own
// stdin away, where a host gives a pipe.
const stdinPipe = 3

func TestMain(m *testing.M) {
	if kind := os.Getenv(testPlugin); kind != "" {
		os.Stdin = os.NewFile(stdinPipe, "stdin")
		servePlugin(kind)
	}
	os.Exit(m.Run())
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// plugin is a running plugin.
type plugin struct {
	*grpc.ClientConn
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *buffer
	client *goplugin.Client
}

// connection hands the test the connection, as a host does.
type connection struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (connection) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("not a plugin")
}
func (connection) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

// start starts this program as a plugin of that kind.
func start(t *testing.T, kind string) *plugin {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), testPlugin+"="+kind, handshake.WatchStdin+"=1",
		"GORACE=atexit_sleep_ms=0") // the race detector would keep every plugin for a second
	return startCommand(t, cmd)
}

// startCommand starts a plugin, with a pipe that it may take for its stdin.
func startCommand(t *testing.T, cmd *exec.Cmd) *plugin {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{read}
	stderr := &buffer{}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: handshake.ProtocolVersion, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins:          goplugin.PluginSet{handshake.PluginName: connection{}},
		Cmd:              cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		Stderr:           stderr,
		Logger:           hclog.NewNullLogger(),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: t.TempDir()},
	})
	t.Cleanup(func() {
		_ = write.Close()
		client.Kill()
	})
	protocol, err := client.Client()
	_ = read.Close()
	if err != nil {
		t.Fatalf("start plugin: %v\n%s", err, stderr)
	}
	conn, err := protocol.Dispense(handshake.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return &plugin{ClientConn: conn.(*grpc.ClientConn), cmd: cmd, stdin: write, stderr: stderr, client: client}
}

// startConfigured is start with a configuration.
func startConfigured(t *testing.T, kind, config string) *plugin {
	t.Helper()
	p := start(t, kind)
	p.configure(t, config)
	return p
}

func (p *plugin) configure(t *testing.T, config string) {
	t.Helper()
	r, err := pluginv1.NewPluginServiceClient(p).Configure(t.Context(), &pluginv1.ConfigureRequest{
		ConfigJson: []byte(config), Instance: "test", DataDir: t.TempDir(),
	})
	if err != nil {
		t.Fatalf("configure: %v", err)
	}
	if len(r.GetDiagnostics()) > 0 {
		t.Fatalf("configure: %v", r.GetDiagnostics())
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
