//go:build linux

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/test/leak"
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
	// plugins is a folder with the plugins' programs; empty for the shipped ones.
	plugins string
	// allocator, authorizer and isolator are more attributes of those plugins' blocks.
	allocator, authorizer, isolator string
	// asking has the agents ask an authorizer, too.
	asking bool
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

// cluster is a master and agents, each in a process of its own.
type cluster struct {
	t       *testing.T
	site    site
	dir     string
	address string // the master's HTTP listener
	link    string // its listener for agents
	master  *daemon
	agents  []*agent
}

// agent is an agent's process, and where it is found.
type agent struct {
	*daemon
	dir     string // its folder
	address string
	config  string
}

const defaultResources = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"

// newCluster configures a cluster and starts nothing.
func newCluster(t *testing.T, s site) *cluster {
	t.Helper()
	s.agents = max(s.agents, 1)
	if s.resources == "" {
		s.resources = defaultResources
	}
	if s.plugins == "" {
		s.plugins = suite.bin
	}
	c := &cluster{t: t, site: s, dir: t.TempDir(), address: freeAddress(t), link: freeAddress(t)}
	if c.site.policies == "" {
		c.site.policies = filepath.Join(c.dir, "policies")
		copyFolder(t, filepath.Join(suite.root, "configs", "policies"), c.site.policies)
	}
	config := write(t, c.dir, "master.hcl", c.masterConfig())
	c.master = newDaemon(t, "master", c.dir, "master", config)
	for i := range s.agents {
		c.agents = append(c.agents, c.newAgent(i))
	}
	return c
}

// startCluster starts a cluster and waits until its agents are registered. It ends with the test.
func startCluster(t *testing.T, s site) *cluster {
	t.Helper()
	c := newCluster(t, s)
	t.Cleanup(c.stop)
	c.master.start()
	for _, a := range c.agents {
		a.start()
	}
	c.wait()
	return c
}

// wait waits until all agents are registered and active.
func (c *cluster) wait() {
	c.t.Helper()
	r := c.mezzo("wait", "--timeout", patience.String(), "--agents", fmt.Sprint(len(c.agents)), "--process", fmt.Sprint(c.master.pid()))
	if r.status != 0 {
		c.t.Fatalf("the cluster did not come up: %s", r)
	}
}

// mezzo runs the command line against this cluster.
func (c *cluster) mezzo(args ...string) result {
	c.t.Helper()
	return c.mezzoAs(c.site.operator, args...)
}

// mezzoAs runs the command line as somebody.
func (c *cluster) mezzoAs(who login, args ...string) result {
	c.t.Helper()
	global := []string{"--master", c.address}
	if who.principal != "" {
		global = append(global, "--principal", who.principal, "--secret-file", write(c.t, c.t.TempDir(), "secret", who.secret+"\n"))
	}
	return command(c.t, "mezzo", append(global, args...)...)
}

func (c *cluster) newAgent(i int) *agent {
	a := &agent{dir: filepath.Join(c.dir, fmt.Sprintf("agent%d", i)), address: freeAddress(c.t)}
	if err := os.Mkdir(a.dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	a.config = write(c.t, a.dir, "agent.hcl", c.agentConfig(a))
	a.daemon = newDaemon(c.t, filepath.Base(a.dir), c.dir, "agent", a.config)
	return a
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
		c.plugin("allocator", "drf", c.site.allocator), c.opa())
}

// opa is the authorizer's block.
func (c *cluster) opa() string {
	return c.plugin("authorizer", "opa", c.site.authorizer+fmt.Sprintf("\n  config {\n    policies = %q\n  }", c.site.policies))
}

func (c *cluster) agentConfig(a *agent) string {
	authorizer := ""
	if c.site.asking {
		authorizer = c.opa()
	}
	return fmt.Sprintf(`agent {
  listen     = %q
  masters    = [%q]
  work_dir   = %q
  plugin_dir = %q
  resources  = %q
%s
}
%s%s`, a.address, c.link, a.workDir(), c.site.plugins, c.site.resources, c.site.agent, authorizer,
		c.plugin("isolator", "cgroups", c.site.isolator))
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

func (a *agent) workDir() string { return filepath.Join(a.dir, "work") }

var instancePattern = regexp.MustCompile(`instance=([0-9a-f]{16})`)

// instance is the agent's random id, by which what it has on the machine is found. It is empty if the agent never came up.
func (a *agent) instance() string {
	if m := instancePattern.FindStringSubmatch(a.output()); m != nil {
		return m[1]
	}
	return ""
}

// cgroupRoots are the folders where the agent's containers have their cgroups, of which there are several with cgroups v1.
func (a *agent) cgroupRoots() []string {
	if a.instance() == "" {
		return nil
	}
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/mezzo/" + a.instance())
	unified, _ := filepath.Glob("/sys/fs/cgroup/mezzo/" + a.instance())
	return append(roots, unified...)
}

// restart starts an agent that has ended and waits until it is registered again.
func (c *cluster) restart(a *agent) {
	c.t.Helper()
	before := c.registered(a)
	a.start()
	eventually(c.t, a.name+" registers again", func() error {
		if now := c.registered(a); now <= before {
			return fmt.Errorf("registered at %f, before the restart at %f", now, before)
		}
		return nil
	})
}

// slaves is what of the master's /slaves the tests look at.
type slaves struct {
	Slaves []struct {
		ID           string  `json:"id"`
		Active       bool    `json:"active"`
		Port         int     `json:"port"`
		Registered   float64 `json:"registered_time"`
		Reregistered float64 `json:"reregistered_time"`
	} `json:"slaves"`
}

// registered is when an agent last registered, 0 while it is not active.
func (c *cluster) registered(a *agent) float64 {
	var list slaves
	if c.get("/slaves", &list) != nil {
		return 0
	}
	for _, s := range list.Slaves {
		if s.Active && strings.HasSuffix(a.address, fmt.Sprintf(":%d", s.Port)) {
			return max(s.Registered, s.Reregistered)
		}
	}
	return 0
}

func (c *cluster) get(path string, into any) error {
	return getJSON(c.address, path, into, c.site.operator.header()...)
}

// stop ends the cluster and checks that nothing of it is left.
func (c *cluster) stop() {
	c.t.Helper()
	c.end()
	for _, a := range c.agents {
		c.checkNothingLeft(a)
	}
}

// end ends the agents with their tasks, then the master.
func (c *cluster) end() {
	c.t.Helper()
	for _, a := range c.agents {
		if cmd, _ := a.process(); cmd == nil {
			continue
		}
		if !a.running() { // it may have left tasks behind
			a.start()
		}
		_, done := a.process()
		eventually(c.t, a.name+" is up", func() error {
			select {
			case <-done:
				return nil
			default:
				return getJSON(a.address, "/state", nil)
			}
		})
		if a.running() {
			a.end(syscall.SIGUSR1)
		}
	}
	if c.master.running() {
		c.master.end(syscall.SIGTERM)
	}
}

// checkNothingLeft looks for what carries an agent's name: cgroups, mounts, files at run time, processes.
func (c *cluster) checkNothingLeft(a *agent) {
	c.t.Helper()
	for _, g := range a.cgroupRoots() {
		c.t.Errorf("%s has left the cgroup %s", a.name, g)
	}
	if a.instance() != "" {
		left, _ := filepath.Glob("/run/mezzo/" + a.instance() + "*")
		for _, f := range left {
			c.t.Errorf("%s has left %s", a.name, f)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		c.t.Error(err)
	}
	if strings.Contains(string(mounts), c.dir) {
		c.t.Errorf("something is still mounted in %s:\n%s", c.dir, mounts)
	}
	all, err := leak.Descendants(os.Getpid())
	if err != nil {
		c.t.Error(err)
	}
	for _, p := range all {
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID)); err == nil && strings.HasPrefix(dir, a.dir) {
			c.t.Errorf("%s has left the process %s", a.name, p)
		}
	}
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

// decode reads JSON that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
