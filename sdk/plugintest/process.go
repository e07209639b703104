package plugintest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// plugin is a process of the plugin under test, and the plain connection to it.
type plugin struct {
	*pluginv1Client
	bench   *bench
	cmd     *exec.Cmd
	stdin   *os.File
	output  *output
	sockets string
	conn    *grpc.ClientConn
	exited  chan struct{}
	drained sync.WaitGroup // of what it printed
	// children are the processes that it was seen to have started, so that none outlives the kit.
	children []child
}

type pluginv1Client struct{ pluginv1.PluginServiceClient }

// launch starts the plugin and connects to it. The check ends if that fails.
func (b *bench) launch() *plugin {
	p, err := b.start()
	if err != nil {
		b.fatalf("%v", err)
	}
	return p
}

// start starts the plugin as a host does that knows no TLS.
func (b *bench) start() (_ *plugin, err error) {
	p := &plugin{bench: b, output: &output{}, exited: make(chan struct{})}
	b.printed = p.output
	if p.sockets, err = os.MkdirTemp("", "mezzo-kit-"); err != nil {
		return nil, err
	}
	b.onEnd(func() { os.RemoveAll(p.sockets) })
	line, err := p.spawn()
	if err != nil {
		return nil, err
	}
	b.onEnd(p.kill)
	var address string
	select {
	case text := <-line:
		if address, err = p.parse(text); err != nil {
			return nil, err
		}
	case <-p.exited:
		p.taken()
		return nil, fmt.Errorf("the plugin ended before it was ready: %s", p.cmd.ProcessState)
	case <-time.After(b.Timeout):
		return nil, fmt.Errorf("the plugin printed no handshake within %v", b.Timeout)
	}
	p.conn, err = grpc.NewClient("unix:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(handshake.MaxMessage)))
	if err != nil {
		return nil, err
	}
	b.onEnd(func() { p.conn.Close() })
	p.pluginv1Client = &pluginv1Client{pluginv1.NewPluginServiceClient(p.conn)}
	return p, nil
}

// spawn starts the process. What is sent on the channel is the first line that it prints.
func (p *plugin) spawn() (<-chan string, error) {
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	errors, stderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p.stdin = stdin
	binary, err := filepath.Abs(p.bench.Binary)
	if err != nil {
		return nil, err
	}
	p.cmd = &exec.Cmd{
		Path: binary, Args: []string{binary}, Env: p.environment(), Stdin: in, Stdout: stdout, Stderr: stderr,
		SysProcAttr: ownGroup(),
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	line := make(chan string, 1)
	p.drained.Go(func() {
		defer out.Close()
		r := bufio.NewReader(out)
		text, _ := r.ReadString('\n')
		if text != "" {
			line <- text
		}
		_, _ = io.Copy(p.output, r)
	})
	p.drained.Go(func() {
		defer errors.Close()
		_, _ = io.Copy(p.output, errors)
	})
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return line, nil
}

// taken waits until what an ended process has printed is taken in, but not for descendants of it that print
// on.
func (p *plugin) taken() {
	done := make(chan struct{})
	go func() {
		p.drained.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

func (p *plugin) environment() []string {
	return append([]string{
		handshake.CookieKey + "=" + handshake.CookieValue,
		fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", handshake.ProtocolVersion),
		"PLUGIN_UNIX_SOCKET_DIR=" + p.sockets,
		handshake.WatchStdin + "=1",
		handshake.LogLevel + "=info",
	}, p.bench.Env...)
}

// parse reads the handshake: CORE|PROTOCOL|NETWORK|ADDRESS|KIND[|CERTIFICATE].
func (p *plugin) parse(line string) (address string, err error) {
	line = strings.TrimSpace(line)
	parts := strings.Split(line, "|")
	switch {
	case len(parts) < 5:
		return "", fmt.Errorf("the plugin's first line %.200q is no handshake (1|1|unix|PATH|grpc)", line)
	case parts[0] != "1" || parts[1] != fmt.Sprint(handshake.ProtocolVersion):
		return "", fmt.Errorf("the handshake %.200q is of protocol %s|%s, and should be 1|%d", line, parts[0], parts[1], handshake.ProtocolVersion)
	case parts[4] != "grpc":
		return "", fmt.Errorf("the plugin speaks %.40q, and should speak grpc", parts[4])
	case parts[2] != "unix" || filepath.Dir(parts[3]) != p.sockets:
		return "", fmt.Errorf("the plugin listens on %s %.200s, and should on a socket in PLUGIN_UNIX_SOCKET_DIR, %s", parts[2], parts[3], p.sockets)
	}
	return parts[3], nil
}

// configure gives the process its configuration; the check ends if it is not taken.
func (p *plugin) configure(dataDir string) {
	if err := p.tryConfigure(p.bench.Config, dataDir); err != nil {
		p.bench.fatalf("the configuration %s is not taken: %v (another one is given by `mezzo plugin verify --config FILE`, or by "+
			"Options.Config in a test)", p.bench.Config, err)
	}
}

func (p *plugin) tryConfigure(config, dataDir string) error {
	ctx, cancel := p.bench.call()
	defer cancel()
	answer, err := p.Configure(ctx, &pluginv1.ConfigureRequest{ConfigJson: []byte(config), Instance: "kit", DataDir: dataDir})
	if err != nil {
		return err
	}
	for _, d := range answer.GetDiagnostics() {
		if d.GetSeverity() != pluginv1.Severity_SEVERITY_WARNING {
			return &refused{d}
		}
		p.checkWarning(d)
	}
	return nil
}

// checkWarning notes a warning that nobody can make use of.
func (p *plugin) checkWarning(d *pluginv1.Diagnostic) {
	if d.GetSummary() == "" {
		p.bench.errorf("it warns about the configuration without a word")
	}
	if len(d.GetPath()) == 0 {
		return
	}
	name, schema := d.GetPath()[0].GetAttribute(), p.describe().GetSchema()
	if !slices.ContainsFunc(schema.GetAttributes(), func(a *pluginv1.Attribute) bool { return a.GetName() == name }) &&
		!slices.ContainsFunc(schema.GetBlocks(), func(t *pluginv1.BlockType) bool { return t.GetName() == name }) {
		p.bench.errorf("it warns about %q, which its schema does not have", name)
	}
}

// refused is a configuration that the plugin does not take.
type refused struct{ diagnostic *pluginv1.Diagnostic }

func (r *refused) Error() string {
	return strings.TrimSpace("the plugin says: " + r.diagnostic.GetSummary() + " " + r.diagnostic.GetDetail())
}

// dataDir makes a folder for the plugin to keep things in.
func (b *bench) dataDir() string {
	dir, err := os.MkdirTemp("", "mezzo-kit-data-")
	if err != nil {
		b.fatalf("%v", err)
	}
	b.onEnd(func() { os.RemoveAll(dir) })
	return dir
}

// ready is a plugin that is started and configured.
func (b *bench) ready(dataDir string) *plugin {
	p := b.launch()
	p.configure(dataDir)
	return p
}

// kill ends the process, its group and what it has started, and waits.
func (p *plugin) kill() {
	p.look()
	killGroup(p.cmd.Process)
	<-p.exited
	p.stdin.Close()
	for _, c := range p.children {
		c.kill()
	}
}

// look notes which processes it has started.
func (p *plugin) look() {
	for _, pid := range descendants(p.cmd.Process.Pid) {
		p.children = append(p.children, newChild(pid))
	}
}

// ended waits for the process to end by itself.
func (p *plugin) ended() bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(p.bench.Timeout):
		return false
	}
}

// shutdown ends the process as a host does: by go-plugin's call, or by SIGTERM where that is not served.
func (p *plugin) shutdown() {
	p.look()
	ctx, cancel := p.bench.call()
	defer cancel()
	by := "Shutdown"
	err := p.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) == codes.Unimplemented {
		by = "SIGTERM, with Shutdown not served"
		p.signalled(syscall.SIGTERM)
	}
	if !p.ended() {
		p.bench.errorf("it has not ended %v after %s", p.bench.Timeout, by)
		p.kill()
	}
}

// alive says whether the process is there and answers.
func (p *plugin) alive() error {
	select {
	case <-p.exited:
		p.taken()
		return fmt.Errorf("the process has ended: %s", p.cmd.ProcessState)
	default:
	}
	return p.healthy()
}

// stillAlive notes a problem if the process does not answer any more.
func (p *plugin) stillAlive(after string) {
	if err := p.alive(); err != nil {
		p.bench.fatalf("after %s: %v", after, err)
	}
}

// output is what a process prints.
type output struct {
	mu      sync.Mutex
	bytes   int
	line    int // of the present line
	longest int
	tail    []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += len(p)
	for _, c := range p {
		if o.line++; c == '\n' {
			o.line = 0
		}
		o.longest = max(o.longest, o.line)
	}
	o.tail = append(o.tail, p...)
	if len(o.tail) > 2*keptOutput {
		o.tail = append([]byte(nil), o.tail[len(o.tail)-keptOutput:]...)
	}
	return len(p), nil
}

const (
	keptOutput  = 16 << 10 // bytes of what a process printed
	shownOutput = 3000     // bytes of it that a report shows, about
	shownLine   = 2000     // bytes of a line of it: the beginning, where a panic says what it is and where it was
)

// text is the last lines of it.
func (o *output) text() string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.ToValidUTF8(strings.TrimSpace(string(o.tail)), "?"), "\n")
	size, first := 0, len(lines)
	for ; first > 0 && size < shownOutput; first-- {
		line := &lines[first-1]
		if len(*line) > shownLine {
			*line = strings.ToValidUTF8((*line)[:shownLine], "") + "…"
		}
		size += len(*line)
	}
	return strings.Join(lines[first:], "\n")
}

// signalled ends the process with a signal that it may heed.
func (p *plugin) signalled(s syscall.Signal) {
	p.look()
	_ = p.cmd.Process.Signal(s)
}
