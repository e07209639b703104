package raftstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/mezzo-cluster/mezzo/host/registry"
)

// mutual returns settings by which both sides have to show the same, self-signed certificate.
func mutual(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "master"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, RootCAs: pool,
	}
}

// With TLS a member answers those alone who show a certificate.
func TestStrangersAreNotAnswered(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conf := mutual(t)
	s, err := Open(Options{
		Dir: t.TempDir(), Listener: l, TLS: conf, Member: registry.Member{HTTP: "127.0.0.1:5050"},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // it has no data to lose
	lead(t, s)
	address := l.Addr().String()

	plain, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close() //nolint:errcheck // nothing is written
	_ = plain.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = plain.Write(make([]byte, 64)) // an AppendEntries begins with 0
	if answer, _ := io.ReadAll(plain); len(answer) > 0 && answer[0] != 0x15 {
		t.Errorf("a stranger is answered %q, not by an alert", answer)
	}
	nameless := &tls.Config{RootCAs: conf.RootCAs, MinVersion: tls.VersionTLS12}
	if c, err := tls.Dial("tcp", address, nameless); err == nil {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("one without a certificate is answered %d bytes", n)
		}
		_ = c.Close()
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	member := raft.NewNetworkTransport(newStreamLayer(other, conf), 1, 10*time.Second, io.Discard)
	defer member.Close() //nolint:errcheck // nothing is under way
	vote := &raft.RequestVoteRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
	if err := member.RequestVote("", raft.ServerAddress(address), vote, &raft.RequestVoteResponse{}); err != nil {
		t.Errorf("a member is not answered: %v", err)
	}
}
