//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/mezzo-cluster/mezzo/test/leak"
)

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
	c.start()
	return c
}

// start starts a cluster that was configured; see startCluster.
func (c *cluster) start() {
	c.t.Helper()
	c.t.Cleanup(c.stop)
	c.master.start()
	for _, a := range c.agents {
		a.start()
	}
	c.wait()
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
	if dir := c.masterRuntime(); exists(dir) {
		c.t.Errorf("the master has left %s", dir)
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
	if a.instance() != "" {
		left, _ := filepath.Glob("/sys/fs/cgroup/*/mezzo/" + a.instance() + "*")
		for _, g := range append(left, a.cgroupRoots()...) {
			c.t.Errorf("%s has left the cgroup %s", a.name, g)
		}
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

// decode reads JSON that a command printed.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
