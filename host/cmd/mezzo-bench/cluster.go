package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// resources are what the benchmarks' agent says it has: enough to hold every task at once.
const resources = "cpus:64;mem:65536;disk:100000;ports:[31000-32000]"

// cluster is a master and an agent, processes of their own, with the three shipped plugins.
type cluster struct {
	bin, dir      string
	master, agent string // host:port of the HTTP listeners
	masterConfig  string
	agentConfig   string
	masterProcess *exec.Cmd
	agentProcess  *exec.Cmd
}

// startCluster starts a cluster and waits until its agent is registered.
func startCluster(ctx context.Context, bin string) (_ *cluster, err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mezzo-bench-")
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if err := c.configure(ctx); err != nil {
		return nil, err
	}
	if c.masterProcess, err = c.start("master", c.masterConfig); err != nil {
		return nil, err
	}
	if err := c.startAgent(); err != nil {
		return nil, err
	}
	return c, c.wait(ctx, c.masterProcess.Process.Pid)
}

func (c *cluster) startAgent() (err error) {
	c.agentProcess, err = c.start("agent", c.agentConfig)
	return err
}

func (c *cluster) wait(ctx context.Context, process int) error {
	wait := exec.CommandContext(ctx, filepath.Join(c.bin, "mezzo"), "wait", "--master", c.master, "--process", fmt.Sprint(process))
	if out, err := wait.CombinedOutput(); err != nil {
		return fmt.Errorf("the cluster did not come up: %w: %s%s", err, out, c.logTail())
	}
	return nil
}

const masterHCL = `
master {
  listen       = %q
  agent_listen = %q
  raft_listen  = %q
  data_dir     = %q
  plugin_dir   = %q
}
plugin "allocator" "drf" {}
plugin "authorizer" "opa" {
  config {
    policies = %q
  }
}
`

const agentHCL = `
agent {
  listen     = %q
  masters    = [%q]
  work_dir   = %q
  plugin_dir = %q
  resources  = %q
}
plugin "isolator" "cgroups" {}
`

func (c *cluster) configure(ctx context.Context) error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	policies, err := filepath.Abs(filepath.Join(c.bin, "..", "configs", "policies"))
	if err != nil {
		return err
	}
	c.master, c.agent = ports[0], ports[3]
	c.masterConfig, c.agentConfig = filepath.Join(c.dir, "master.hcl"), filepath.Join(c.dir, "agent.hcl")
	master := fmt.Sprintf(masterHCL, c.master, ports[1], ports[2], filepath.Join(c.dir, "master"), c.bin, policies)
	agent := fmt.Sprintf(agentHCL, c.agent, ports[1], filepath.Join(c.dir, "agent"), c.bin, resources)
	if err := errors.Join(os.WriteFile(c.masterConfig, []byte(master), 0o600), os.WriteFile(c.agentConfig, []byte(agent), 0o600)); err != nil {
		return err
	}
	for _, config := range []string{c.masterConfig, c.agentConfig} {
		lock := exec.CommandContext(ctx, filepath.Join(c.bin, "mezzo"), "plugin", "lock", config)
		if out, err := lock.CombinedOutput(); err != nil {
			return fmt.Errorf("lock the plugins of %s: %w (build the programs by `make build`, or pass --bin): %s", config, err, out)
		}
	}
	return nil
}

func (c *cluster) start(role, config string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(c.dir, role+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(c.bin, "mezzo"), role, config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w (build the programs by `make build`, or pass --bin)", role, err)
	}
	return cmd, nil
}

// stop ends the processes and removes the folder.
func (c *cluster) stop() error {
	// Asked by SIGUSR1, the agent ends its tasks, too.
	for i, p := range []*exec.Cmd{c.agentProcess, c.masterProcess} {
		ask := []os.Signal{syscall.SIGUSR1, syscall.SIGTERM}[i]
		if p == nil || p.Process == nil || p.ProcessState != nil {
			continue
		}
		_ = p.Process.Signal(ask)
		kill := time.AfterFunc(20*time.Second, func() { _ = p.Process.Kill() })
		_ = p.Wait()
		kill.Stop()
	}
	return os.RemoveAll(c.dir)
}

// logTail is the end of the logs, for an error.
func (c *cluster) logTail() string {
	var out strings.Builder
	for _, role := range []string{"master", "agent"} {
		data, err := os.ReadFile(filepath.Join(c.dir, role+".log"))
		if err != nil {
			continue
		}
		fmt.Fprintf(&out, "\n%s.log:\n%s", role, data[max(0, len(data)-2000):])
	}
	return out.String()
}

// configuration says what was measured under.
func (c *cluster) configuration() []string {
	return []string{
		"one master and one agent, HTTP without TLS on loopback, allocator drf, authorizer opa with configs/policies, isolator cgroups",
		"registry: Raft of one member, every commit synced; agent's run store: written before each effect, not synced",
		"agent resources: " + resources,
	}
}

func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// get reads a path of one of the listeners.
func get(ctx context.Context, address, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return body, err
}
