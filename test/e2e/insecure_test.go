//go:build linux

package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// Listeners that the network can reach need TLS and authentication, or the operator's word, of which every start warns.
func TestInsecure(t *testing.T) {
	t.Parallel()
	c := newCluster(t, site{})
	_, port, err := net.SplitHostPort(c.address)
	if err != nil {
		t.Fatal(err)
	}
	_, linkPort, err := net.SplitHostPort(c.link)
	if err != nil {
		t.Fatal(err)
	}
	open := []string{`"` + c.address + `"`, `"0.0.0.0:` + port + `"` + "\n  advertise = \"" + c.address + `"`, `"` + c.link + `"`, `"0.0.0.0:` + linkPort + `"`}
	config := filepath.Join(c.dir, "master.hcl")
	for _, refused := range []result{
		command(t, "mezzo", "config", "validate", replaced(t, config, open...)), command(t, "mezzo", "master", replaced(t, config, open...)),
	} {
		mustSay(t, refused, 1, "master-changed.hcl:2:", "0.0.0.0:"+port, "without TLS and authentication", "insecure = true",
			"0.0.0.0:"+linkPort, "mutual TLS")
	}
	c.master.args = []string{"master", replaced(t, config, append(open, "master {", "master {\n  insecure = true")...)}
	c.start()
	c.master.kill()
	c.master.start()
	c.wait()
	for _, warning := range []string{"insecure = true: the master's listen 0.0.0.0:" + port, "insecure = true: the master's agent_listen 0.0.0.0:" + linkPort} {
		if n := strings.Count(c.master.output(), warning); n != 2 {
			t.Errorf("%q is said %d times in two starts", warning, n)
		}
	}
	if strings.Contains(c.master.output(), "raft_listen") {
		t.Error("it warns of a listener on loopback")
	}
}
