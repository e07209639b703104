//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

var (
	operator = login{"operator", "operators-secret"}
	webTeam  = login{"web", "webs-secret"}
)

// guarded is a site that asks who is calling.
func guarded(t *testing.T) site {
	t.Helper()
	file := write(t, t.TempDir(), "credentials.json", fmt.Sprintf(`{"credentials": [{"principal": %q, "secret": %q}, {"principal": %q, "secret": %q}]}`,
		operator.principal, operator.secret, webTeam.principal, webTeam.secret))
	return site{operator: operator, master: fmt.Sprintf("authentication \"basic\" {\n credentials_file = %q\n }", file)}
}

func as(who login, role string) option {
	return func(f *framework) {
		f.login = who
		f.info.Role, f.info.User, f.info.Principal = &role, proto.String("nobody"), &who.principal
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := startCluster(t, guarded(t))
	for _, path := range []string{"/state", "/slaves", "/metrics/snapshot", "/flags", "/plugins"} {
		for _, who := range []login{{}, {"operator", "wrong"}, {"nobody", "operators-secret"}} {
			r := ask(t, http.MethodGet, c.address, path, "", nil, who.header()...)
			if r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic realm=") {
				t.Errorf("%s as %q: %d %s", path, who.principal, r.status, r.body)
			}
		}
		if r := ask(t, http.MethodGet, c.address, path, "", nil, operator.header()...); r.status != http.StatusOK {
			t.Errorf("%s as operator: %d %s", path, r.status, r.body)
		}
	}
	if r := ask(t, http.MethodGet, c.address, "/health", "", nil); r.status != http.StatusOK {
		t.Errorf("/health needs nobody's name, but: %d %s", r.status, r.body)
	}
	mustSay(t, c.mezzoAs(login{}, "ps"), 1, "--principal")
	if r := c.mezzo("ps"); r.status != 0 {
		t.Errorf("ps as operator: %s", r)
	}
	if err := newFramework(t, c).subscribe(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("SUBSCRIBE as nobody: %v", err)
	}
	other := newFramework(t, c, as(webTeam, "eng/web"))
	other.login = operator
	if err := other.subscribe(); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("SUBSCRIBE as operator in the name of web: %v", err)
	}
	if log := c.master.output() + ask(t, http.MethodGet, c.address, "/flags", "", nil, operator.header()...).body; strings.Contains(log, "-secret") {
		t.Error("a secret is in the log or in /flags")
	}
}

// The shipped policies, with authentication: teams have their roles, see their own, and do not run as root.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	c := startCluster(t, guarded(t))
	web := subscribe(t, c, as(webTeam, "eng/web"))
	ops := subscribe(t, c, as(operator, "ops"))
	if err := newFramework(t, c, as(webTeam, "ops")).subscribe(); err == nil || !strings.Contains(err.Error(), "Not authorized to use role 'ops'") {
		t.Errorf("web in the role ops: %v", err)
	}
	ops.stepAside()
	web.launch(sleeper("web-runs"), shell("web-root", "id -u", user("root")))
	web.await("web-runs", mesos.TaskState_TASK_RUNNING)
	if s := web.end("web-root", "ERROR"); s.GetReason() != mesos.TaskStatus_REASON_TASK_UNAUTHORIZED || !strings.Contains(s.GetMessage(), "administrators") {
		t.Errorf("web as root: %s: %s", s.GetReason(), s.GetMessage())
	}
	web.stepAside()
	ops.mu.Lock()
	ops.aside = false
	ops.mu.Unlock()
	ops.revive()
	ops.launch(shell("ops-root", "exit 0", user("root")))
	ops.end("ops-root", "STARTING RUNNING FINISHED")
	for who, want := range map[login][]string{webTeam: {"web-runs"}, operator: {"web-runs", "ops-root"}} {
		tasks := decode[[]struct{ ID string }](t, c.mezzoAs(who, "ps", "--all", "--output", "json").stdout)
		seen := map[string]bool{}
		for _, task := range tasks {
			seen[task.ID] = true
		}
		delete(seen, "web-root")
		if len(seen) != len(want) || !seen[want[0]] {
			t.Errorf("%s sees %v", who.principal, seen)
		}
	}
	if r := c.mezzoAs(webTeam, "plugin", "reload", "allocator", "drf"); r.status != 1 || !strings.Contains(r.stderr, "not authorized") {
		t.Errorf("a reload by web: %s", r)
	}
	for _, want := range []string{"principal=web", "decision=denied", "action=ACCEPT", "revision="} {
		if !strings.Contains(c.master.output(), want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
	web.kill("web-runs", 0)
	web.end("web-runs", "STARTING RUNNING KILLED")
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key, a.file, _ = a.issue("ca", template, template, nil)
	return a
}

// issue makes a certificate, signed by the authority, or by itself if signer is nil.
func (a *authority) issue(name string, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (cert *x509.Certificate, key *ecdsa.PrivateKey, certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile = write(a.t, a.dir, name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	keyFile = write(a.t, a.dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})))
	return cert, key, certFile, keyFile
}

// block is a tls block with a certificate for 127.0.0.1.
func (a *authority) block(name string) string {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	_, _, cert, key := a.issue(name, template, a.cert, a.key)
	return fmt.Sprintf("tls {\n cert_file = %q\n key_file = %q\n ca_file = %q\n }", cert, key, a.file)
}

// With TLS everything is spoken over it, and an agent of another authority is not let in.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	c := newCluster(t, site{master: ours.block("master"), agent: ours.block("agent")})
	stranger := newCluster(t, site{agent: theirs.block("stranger")})
	mezzo := func(args ...string) result {
		return command(t, "mezzo", append([]string{"--master", c.address, "--ca-file", ours.file}, args...)...)
	}
	c.master.start()
	t.Cleanup(func() { c.master.end(syscall.SIGTERM) })
	a := c.agents[0]
	a.start()
	t.Cleanup(func() { a.end(syscall.SIGUSR1); c.checkNothingLeft(a) })
	if r := mezzo("wait", "--timeout", patience.String()); r.status != 0 {
		t.Fatalf("the cluster did not come up: %s", r)
	}
	if r := mezzo("run", "--", "echo over TLS"); r.status != 0 || r.stdout != "over TLS\n" {
		t.Errorf("run: %s", r)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	conn, err := tls.Dial("tcp", c.address, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatalf("the master's HTTP over TLS: %v", err)
	}
	conn.Close()
	if r, err := request(http.MethodGet, c.address, "/health", "", nil); err == nil && r.status == http.StatusOK {
		t.Error("the master answers without TLS")
	}
	if conn, err := tls.Dial("tcp", c.link, &tls.Config{RootCAs: pool}); err == nil {
		// The client's certificate is asked for after the handshake has ended for the client.
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the agents' listener lets clients in that have no certificate")
		}
		conn.Close()
	}
	x := stranger.agents[0]
	config := replaced(t, x.config, stranger.link, c.link)
	d := newDaemon(t, "stranger", stranger.dir, "agent", config)
	x.daemon = d
	d.start()
	t.Cleanup(func() { d.end(syscall.SIGTERM); stranger.checkNothingLeft(x) })
	eventually(t, "the stranger is refused", func() error {
		if !strings.Contains(d.output(), "certificate") && !strings.Contains(d.output(), "tls") {
			return errNotYet("nothing of it is logged")
		}
		return nil
	})
	if r := mezzo("agents", "--output", "json"); strings.Count(r.stdout, `"id"`) != 1 {
		t.Errorf("agents: %s", r)
	}
	mustSay(t, command(t, "mezzo", "--master", c.address, "--ca-file", theirs.file, "ps"), 1, "certificate")
	mustSay(t, command(t, "mezzo", "--master", c.address, "--ca-file", filepath.Join(c.dir, "master.hcl"), "ps"), 1, "PEM")
}
