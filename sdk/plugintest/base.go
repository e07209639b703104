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
		b.errorf("Describe gives no name")
	case first.GetVersion() == "":
		b.errorf("Describe gives no version")
	case !slices.Contains(first.GetKinds(), b.Kind):
		b.errorf("Describe names the kinds %q, and not %s, which it is tested as", first.GetKinds(), b.Kind)
	case !slices.Contains(first.GetServices(), versions[b.Kind]):
		b.errorf("Describe names the services %q, and should serve %s", first.GetServices(), versions[b.Kind])
	}
	checkSchema(b, "config", first.GetSchema(), 0)
	if again := p.describe(); !proto.Equal(first, again) {
		b.errorf("a second Describe gives another answer:\n%v\nand first\n%v", again, first)
	}
	ctx, cancel := b.call()
	defer cancel()
	if err := probe(ctx, b.Kind, p.conn); status.Code(err) != codes.FailedPrecondition {
		b.errorf("a call before Configure gives %v (%v), and should give FAILED_PRECONDITION", status.Code(err), err)
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
			b.errorf("the schema of %s has %q twice, or it is not lower-case letters, digits and underscores", at, n)
		}
		seen[n] = true
	}
	for _, a := range block.GetAttributes() {
		name(a.GetName())
		if a.GetType().GetKind() == pluginv1.Kind_KIND_UNSPECIFIED {
			b.errorf("the schema gives %s.%s no type", at, a.GetName())
		}
		if a.GetDoc() == "" {
			b.errorf("the schema gives %s.%s no doc; in Go, that is its doc tag", at, a.GetName())
		}
		if text := a.GetDefaultJson(); text != "" && (!json.Valid([]byte(text)) || text == "null" || a.GetRequired()) {
			b.errorf("the schema gives %s.%s the default %s, which is not JSON, or null, or of an attribute that is required", at, a.GetName(), text)
		}
		if _, err := regexp.Compile(a.GetPattern()); err != nil {
			b.errorf("the schema gives %s.%s a pattern that does not compile: %v", at, a.GetName(), err)
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
	b.refuses("what is no JSON", "{")
	b.refuses("an array in place of an object", "[]")
	b.refuses("an attribute that does not exist", `{"surely_no_attribute_of_this_name":"x"}`)
	b.refuses("an attribute that is null", b.withNull())
	for _, config := range b.BadConfigs {
		b.refuses("one of Options.BadConfigs", config)
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
		b.errorf("Configure takes %s as good: %.200s", what, config)
	case errors.As(err, &no) && no.diagnostic.GetSummary() == "":
		b.errorf("Configure refuses %s by a diagnostic without a summary", what)
	case !errors.As(err, &no) && !final(err):
		b.errorf("Configure with %s gives %v, and should give a diagnostic, or INVALID_ARGUMENT", what, err)
	}
	p.stillAlive(what)
	ctx, cancel := b.call()
	defer cancel()
	if err := probe(ctx, b.Kind, p.conn); err == nil {
		b.errorf("after Configure with %s a call of the kind's service succeeds, without a configuration", what)
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
		b.skip("the plugin is for connections without TLS")
	}
	p, err := b.startTLS()
	if err != nil {
		b.fatalf("start with PLUGIN_CLIENT_CERT: %v", err)
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
		b.errorf("a call after Drain gives %v (%v), and should give UNAVAILABLE", status.Code(err), err)
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
