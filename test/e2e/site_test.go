//go:build linux

package e2e

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// site says how a test's cluster is configured. The zero value is a master and an agent with the three plugins.
type site struct {
	// agents is how many there are; 0 means 1.
	agents int
	// master and agent are more attributes of those blocks.
	master, agent string
	// resources are each agent's.
	resources string
	// policies is the authorizer's folder; empty for a copy of the shipped one.
	policies string
	// permissions is the file of the Python authorizer, which then is there in the place of the shipped one.
	permissions string
	// plugins is a folder with the plugins' programs; empty for the shipped ones.
	plugins string
	// allocator, authorizer and isolator are more attributes of those plugins' blocks.
	allocator, authorizer, isolator string
	// isolators are more isolators' blocks of the agents.
	isolators func(c *cluster) string
	// asking has the agents ask an authorizer, too.
	asking bool
	// bare leaves the isolator out.
	bare bool
	// operator is who the tests are, where the master asks.
	operator login
}

// login is a principal with a secret; the zero value is nobody.
type login struct{ principal, secret string }

func (l login) header() []string {
	if l.principal == "" {
		return nil
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(l.principal, l.secret)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

func (c *cluster) masterConfig() string {
	return fmt.Sprintf(`master {
  listen       = %q
  agent_listen = %q
  raft_listen  = %q
  data_dir     = %q
  plugin_dir   = %q
%s
}
%s%s`, c.address, c.link, freeAddress(c.t), filepath.Join(c.dir, "master"), c.site.plugins, c.site.master,
		c.plugin("allocator", "drf", c.site.allocator), c.authorizer())
}

// authorizer is the authorizer's block.
func (c *cluster) authorizer() string {
	if c.site.permissions != "" {
		return c.plugin("authorizer", "python", fmt.Sprintf("config {\n    permissions = %q\n    interval = \"20ms\"\n  }", c.site.permissions))
	}
	return c.plugin("authorizer", "opa", c.site.authorizer+fmt.Sprintf("\n  config {\n    policies = %q\n  }", c.site.policies))
}

func (c *cluster) agentConfig(a *agent) string {
	plugins := ""
	if c.site.asking {
		plugins = c.authorizer()
	}
	if !c.site.bare {
		plugins += c.plugin("isolator", "cgroups", c.site.isolator)
	}
	if c.site.isolators != nil {
		plugins += c.site.isolators(c)
	}
	return fmt.Sprintf(`agent {
  listen     = %q
  masters    = [%q]
  work_dir   = %q
  plugin_dir = %q
  resources  = %q
%s
}
%s`, a.address, c.link, a.workDir(), c.site.plugins, c.site.resources, c.site.agent, plugins)
}

// plugin is a plugin's block, with its checksum.
func (c *cluster) plugin(kind, name, more string) string {
	return fmt.Sprintf("plugin %q %q {\n  sha256 = %q\n  %s\n}\n", kind, name, checksum(c.t, filepath.Join(c.site.plugins, kind+"-"+name)), more)
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// masterRuntime is where the master has what need not outlive a reboot.
func (c *cluster) masterRuntime() string {
	name := sha256.Sum256([]byte(filepath.Join(c.dir, "master")))
	return fmt.Sprintf("/run/mezzo/master-%x", name[:6])
}

// ports gives each listener of the suite a port of its own, below those that connections are given.
var ports atomic.Int32

func freeAddress(t *testing.T) string {
	t.Helper()
	const first, count = 18000, 12000
	ports.CompareAndSwap(0, int32(os.Getpid()%count))
	for range count {
		address := fmt.Sprintf("127.0.0.1:%d", first+int(ports.Add(1))%count)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// write writes a file into a folder and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
