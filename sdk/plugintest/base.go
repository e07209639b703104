package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake/clientcert"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// startChecks are those that every plugin has to pass before anything else.
func startChecks() []check {
	return []check{
		{name: "start and handshake", run: checkStart, vital: true},
		{name: "describe", run: checkDescribe, vital: true},
		{name: "configure", run: checkConfigure, vital: true},
		{name: "refuse bad configurations", run: checkBadConfigs},
		{name: "TLS", run: checkTLS},
	}
}

// endChecks are those about the end of a process, and about what is left of it.
func endChecks() []check {
	return []check{
		{name: "drain", run: checkDrain},
		{name: "end when asked", run: checkShutdown},
		{name: "end with SIGTERM", run: checkTerminate},
		{name: "end with the host", run: checkHostGone},
		{name: "nothing left behind", run: checkLeaks},
		{name: "output", run: checkOutput},
	}
}

func checkStart(b *bench) {
	p := b.launch()
	if err := p.healthy(); err != nil {
		b.errorf("the health check (grpc.health.v1, service %q): %v", handshake.HealthService, err)
	}
}

// healthy asks for the plugin's health. A plugin need not serve it.
func (p *plugin) healthy() error {
	ctx, cancel := p.bench.call()
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: handshake.HealthService})
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil
	case err != nil:
		return err
	case answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		return fmt.Errorf("it is %s", answer.GetStatus())
	default:
		return nil
	}
}

// versions are the services of each kind that the kit knows.
var versions = map[string]string{
	"allocator":  "mezzo.allocator.v1.AllocatorService",
	"authorizer": "mezzo.authorizer.v1.AuthorizerService",
	"isolator":   "mezzo.isolator.v1.IsolatorService",
}

func checkDescribe(b *bench) {
	p := b.launch()
	first := p.describe()
	switch {
	case first.GetName() == "":
		b.errorf("the name is empty")
	case first.GetVersion() == "":
		b.errorf("the version is empty")
	case !slices.Contains(first.GetKinds(), b.Kind):
		b.errorf("it is no %s: it is %s", b.Kind, strings.Join(first.GetKinds(), ", "))
	case !slices.Contains(first.GetServices(), versions[b.Kind]):
		b.errorf("it serves %s, and should serve %s", strings.Join(first.GetServices(), ", "), versions[b.Kind])
	}
	checkSchema(b, "config", first.GetSchema(), 0)
	if again := p.describe(); !proto.Equal(first, again) {
		b.errorf("it describes itself another way the second time")
	}
	ctx, cancel := b.call()
	defer cancel()
	if err := probe(ctx, b.Kind, p.conn); status.Code(err) != codes.FailedPrecondition {
		b.errorf("a call before Configure gives %v, and should give FAILED_PRECONDITION", status.Code(err))
	}
	p.stillAlive("a call before Configure")
}

func (p *plugin) describe() *pluginv1.DescribeResponse {
	ctx, cancel := p.bench.call()
	defer cancel()
	d, err := p.Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		p.bench.fatalf("Describe: %v", err)
	}
	return d
}

var attributeName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func checkSchema(b *bench, at string, block *pluginv1.Block, depth int) {
	if depth > 16 {
		b.errorf("%s: the schema is more than 16 levels deep", at)
		return
	}
	seen := map[string]bool{}
	name := func(n string) {
		if !attributeName.MatchString(n) || seen[n] {
			b.errorf("%s: the name %q is there twice, or is not in lower case with underscores", at, n)
		}
		seen[n] = true
	}
	for _, a := range block.GetAttributes() {
		name(a.GetName())
		if a.GetType().GetKind() == pluginv1.Kind_KIND_UNSPECIFIED {
			b.errorf("%s.%s has no type", at, a.GetName())
		}
		if a.GetDoc() == "" {
			b.errorf("%s.%s has no doc", at, a.GetName())
		}
		if text := a.GetDefaultJson(); text != "" && (!json.Valid([]byte(text)) || text == "null" || a.GetRequired()) {
			b.errorf("%s.%s: the default %s is no JSON, null, or one of a required attribute", at, a.GetName(), text)
		}
		if _, err := regexp.Compile(a.GetPattern()); err != nil {
			b.errorf("%s.%s: the pattern: %v", at, a.GetName(), err)
		}
	}
	for _, t := range block.GetBlocks() {
		name(t.GetName())
		checkSchema(b, at+"."+t.GetName(), t.GetBlock(), depth+1)
	}
}

func checkConfigure(b *bench) {
	p := b.launch()
	p.configure(b.dataDir())
	var no *refused
	if err := p.tryConfigure(b.Config, b.dataDir()); err == nil || errors.As(err, &no) || status.Code(err) != codes.FailedPrecondition {
		b.errorf("a second Configure gives %v, and should give FAILED_PRECONDITION: a process is configured once", err)
	}
	p.stillAlive("a second Configure")
}

func checkBadConfigs(b *bench) {
	b.refuses("no JSON", "{")
	b.refuses("an array", "[]")
	b.refuses("an attribute that does not exist", `{"surely_no_attribute_of_this_name":"x"}`)
	b.refuses("null", b.withNull())
	for _, config := range b.BadConfigs {
		b.refuses("a bad configuration", config)
	}
}

// withNull is the good configuration with a null in it.
func (b *bench) withNull() string {
	var config map[string]any
	if err := json.Unmarshal([]byte(b.Config), &config); err != nil {
		b.fatalf("the configuration in the options: %v", err)
	}
	for _, a := range b.launch().describe().GetSchema().GetAttributes() {
		config[a.GetName()] = nil
		break
	}
	text, err := json.Marshal(config)
	if err != nil || !strings.Contains(string(text), "null") {
		return `{"surely_no_attribute_of_this_name":null}`
	}
	return string(text)
}

// refuses gives a new process a configuration that it must not take.
func (b *bench) refuses(what, config string) {
	p := b.launch()
	err := p.tryConfigure(config, b.dataDir())
	var no *refused
	switch {
	case err == nil:
		b.errorf("%s is taken: %.200s", what, config)
	case errors.As(err, &no) && no.diagnostic.GetSummary() == "":
		b.errorf("%s is refused without a word", what)
	case !errors.As(err, &no) && !final(err):
		b.errorf("%s gives %v; it should give a diagnostic, or INVALID_ARGUMENT", what, err)
	}
	p.stillAlive(what)
	ctx, cancel := b.call()
	defer cancel()
	if err := probe(ctx, b.Kind, p.conn); err == nil {
		b.errorf("after %s the plugin works without a configuration", what)
	}
	p.kill()
}

// final says whether an error is one of those that are shown to users.
func final(err error) bool {
	code := status.Code(err)
	return code == codes.InvalidArgument || code == codes.FailedPrecondition
}

// known says whether a code is one that contracts know.
func known(err error) bool {
	switch status.Code(err) {
	case codes.OK, codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound, codes.Unavailable, codes.DeadlineExceeded,
		codes.Aborted, codes.ResourceExhausted, codes.Unimplemented, codes.Canceled:
		return true
	default:
		return false
	}
}

// probe makes a call of the kind's service that changes nothing.
func probe(ctx context.Context, kind string, conn grpc.ClientConnInterface) error {
	switch kind {
	case "allocator":
		return probeAllocator(ctx, conn)
	case "authorizer":
		return probeAuthorizer(ctx, conn)
	default:
		return probeIsolator(ctx, conn)
	}
}

// checkTLS connects as hosts do unless they are told otherwise.
func checkTLS(b *bench) {
	if b.Plain {
		b.skip("its configuration says that it does none")
	}
	p, err := b.startTLS()
	if err != nil {
		b.fatalf("%v", err)
	}
	ctx, cancel := b.call()
	defer cancel()
	if _, err := pluginv1.NewPluginServiceClient(p.Conn).Describe(ctx, &pluginv1.DescribeRequest{}); err != nil {
		b.errorf("Describe over TLS: %v", err)
	}
}

func (b *bench) startTLS() (*goplugin.GRPCClient, error) {
	p := &plugin{bench: b, sockets: b.dataDir()}
	encrypted, certificate, err := clientcert.New()
	if err != nil {
		return nil, err
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: handshake.ProtocolVersion, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins: goplugin.PluginSet{}, AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, TLSConfig: encrypted, SkipHostEnv: true,
		StartTimeout: b.Timeout, Cmd: p.command(clientcert.Variable + "=" + certificate), Logger: quiet(),
	})
	b.onEnd(client.Kill)
	c, err := client.Client()
	if err != nil {
		return nil, err
	}
	if encrypted.RootCAs == nil {
		return nil, fmt.Errorf("with %s in its environment its first line should end with its certificate; "+
			"a plugin that does no TLS is tested with tls = \"off\" in its block (--tls off, Options.Plain)", clientcert.Variable)
	}
	return c.(*goplugin.GRPCClient), nil
}

func checkDrain(b *bench) {
	p := b.ready(b.dataDir())
	ctx, cancel := b.call()
	defer cancel()
	if _, err := p.Drain(ctx, &pluginv1.DrainRequest{}); err != nil {
		b.fatalf("Drain: %v", err)
	}
	if err := probe(ctx, b.Kind, p.conn); status.Code(err) != codes.Unavailable {
		b.errorf("a call after Drain gives %v, and should give UNAVAILABLE", status.Code(err))
	}
	if _, err := p.Drain(ctx, &pluginv1.DrainRequest{}); err != nil {
		b.errorf("a second Drain: %v", err)
	}
	p.shutdown()
}

func checkShutdown(b *bench) { b.ready(b.dataDir()).shutdown() }

func checkTerminate(b *bench) {
	p := b.ready(b.dataDir())
	p.signalled(syscall.SIGTERM)
	if !p.ended() {
		b.errorf("it has not ended %v after SIGTERM", b.Timeout)
	}
}

func checkHostGone(b *bench) {
	p := b.ready(b.dataDir())
	p.look()
	p.stdin.Close()
	if !p.ended() {
		b.errorf("it has not ended %v after the end of its standard input, which says that its host is gone", b.Timeout)
	}
}
