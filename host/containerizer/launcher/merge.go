//go:build unix

package launcher

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/initproto"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// merged is the plans of several isolators made one. Of every demand it knows who made it, so that a contradiction
// names both.
type merged struct {
	by map[string]demand // by what is demanded: "variable PATH", "mount at /tmp"

	env          []string
	mounts       []isolator.Mount
	namespaces   []isolator.Namespace
	rlimits      []isolator.Rlimit
	capabilities *isolator.Capabilities
	prestart     []isolator.Command
	hostname     string

	rootfs  string
	devices []isolator.Device
	cgroups []string // all of them

	tasksFiles []string // of cgroups v1, for mezzo-init to join
	unified    string   // the folder of a cgroup v2, to be started in
}

type demand struct{ isolator, value string }

func newMerged() *merged { return &merged{by: map[string]demand{}} }

// demand notes that an isolator demands a value for something, and tells whether that is new. Another value than
// somebody else's is an error that names both.
func (m *merged) demand(name, what, value string) (bool, error) {
	before, ok := m.by[what]
	switch {
	case !ok:
		m.by[what] = demand{name, value}
		return true, nil
	case before.value == value:
		return false, nil
	default:
		return false, fmt.Errorf("isolators %q and %q contradict each other about the %s: %s against %s",
			before.isolator, name, what, before.value, value)
	}
}

// add merges one isolator's plan into those before it.
func (m *merged) add(name string, p isolator.Plan) error {
	for _, step := range []func(string, isolator.Plan) error{
		m.addEnv, m.addMounts, m.addNamespaces, m.addRights, m.addHostname, m.addCgroups, m.addRoot,
	} {
		if err := step(name, p); err != nil {
			return err
		}
	}
	m.prestart = append(m.prestart, p.Prestart...)
	return nil
}

// addRoot takes what only an isolator that launches can do something with.
func (m *merged) addRoot(name string, p isolator.Plan) error {
	if p.RootFS != "" {
		if _, err := m.demand(name, rootDemand, p.RootFS); err != nil {
			return err
		}
		m.rootfs = p.RootFS
	}
	for _, d := range p.Devices {
		fresh, err := m.demand(name, deviceDemand+d.Path, fmt.Sprintf("%+v", d))
		if err != nil {
			return err
		}
		if fresh {
			m.devices = append(m.devices, d)
		}
	}
	return nil
}

// What isolators demand that mezzo-init cannot give.
const (
	rootDemand   = "root filesystem"
	deviceDemand = "device "
)

// forInit refuses what mezzo-init cannot do.
func (m *merged) forInit() error {
	if m.rootfs != "" {
		return fmt.Errorf("isolator %q gives a root filesystem, which this agent has no use for yet", m.by[rootDemand].isolator)
	}
	for _, d := range m.devices {
		return fmt.Errorf("isolator %q asks for devices, which need a root filesystem of the container's own", m.by[deviceDemand+d.Path].isolator)
	}
	return nil
}

// launchPlan is what an isolator that launches is to do; the command and its environment are in the spec.
func (m *merged) launchPlan(s containerizer.Spec) isolator.Plan {
	return isolator.Plan{
		Mounts: m.mounts, Devices: m.devices, Namespaces: m.namespaces, Rlimits: m.allRlimits(s.Rlimits), Capabilities: m.capabilities,
		Prestart: m.prestart, CgroupPaths: m.cgroups, RootFS: m.rootfs, Hostname: m.hostname,
	}
}

func (m *merged) addEnv(name string, p isolator.Plan) error {
	for _, v := range p.Env {
		variable, value, ok := strings.Cut(v, "=")
		if !ok || variable == "" {
			return fmt.Errorf("isolator %q asks for the variable %q, which is not name=value", name, v)
		}
		fresh, err := m.demand(name, "variable "+variable, value)
		if err != nil {
			return err
		}
		if fresh {
			m.env = append(m.env, v)
		}
	}
	return nil
}

func (m *merged) addMounts(name string, p isolator.Plan) error {
	for _, mount := range p.Mounts {
		value := fmt.Sprintf("%s %s (%s)", mount.Type, mount.Source, strings.Join(mount.Options, ","))
		fresh, err := m.demand(name, "mount at "+mount.Destination, value)
		if err != nil {
			return err
		}
		if fresh {
			m.mounts = append(m.mounts, mount)
		}
	}
	return nil
}

func (m *merged) addNamespaces(name string, p isolator.Plan) error {
	for _, n := range p.Namespaces {
		fresh, err := m.demand(name, string(n.Type)+" namespace", n.Path)
		if err != nil {
			return err
		}
		if fresh {
			m.namespaces = append(m.namespaces, n)
		}
	}
	return nil
}

func (m *merged) addRights(name string, p isolator.Plan) error {
	for _, l := range p.Rlimits {
		fresh, err := m.demand(name, "limit "+l.Type, fmt.Sprintf("%d:%d", l.Soft, l.Hard))
		if err != nil {
			return err
		}
		if fresh {
			m.rlimits = append(m.rlimits, l)
		}
	}
	if p.Capabilities == nil {
		return nil
	}
	if _, err := m.demand(name, "capabilities", fmt.Sprintf("%v", *p.Capabilities)); err != nil {
		return err
	}
	m.capabilities = p.Capabilities
	return nil
}

func (m *merged) addHostname(name string, p isolator.Plan) error {
	if p.Hostname == "" {
		return nil
	}
	_, err := m.demand(name, "host name", p.Hostname)
	m.hostname = p.Hostname
	return err
}

// addCgroups sorts the cgroups by their version: processes join v1 from within, and are started in v2.
func (m *merged) addCgroups(name string, p isolator.Plan) error {
	for _, folder := range p.CgroupPaths {
		unified, err := isUnified(folder)
		if err != nil {
			return fmt.Errorf("isolator %q: cgroup %s: %w", name, folder, err)
		}
		m.cgroups = append(m.cgroups, folder)
		if !unified {
			m.tasksFiles = append(m.tasksFiles, folder+"/tasks")
			continue
		}
		if _, err := m.demand(name, "cgroup", folder); err != nil {
			return err
		}
		m.unified = folder
	}
	return nil
}

// initPlan is what mezzo-init is to do.
func (m *merged) initPlan(config Config, s containerizer.Spec, who *fetcher.Owner) (*initproto.Plan, error) {
	if err := m.forInit(); err != nil {
		return nil, err
	}
	path, args := commandLine(s.Command)
	p := &initproto.Plan{
		Path:       path,
		Args:       args,
		Env:        containerizer.Environment(config.Surroundings, s, m.env),
		Dir:        s.Sandbox,
		Namespaces: config.Namespaces,
		Hostname:   m.hostname,
		JoinFiles:  m.tasksFiles,
	}
	if who != nil {
		p.SwitchUser, p.UID, p.GID, p.Groups = true, who.UID, who.GID, who.Groups
	}
	for _, c := range m.prestart {
		p.Prestart = append(p.Prestart, initproto.Command{Path: c.Path, Args: c.Args, Env: c.Env})
	}
	var err error
	if p.Rlimits, err = m.initRlimits(s.Rlimits); err != nil {
		return nil, err
	}
	if p.Capabilities, err = initCapabilities(m.capabilities); err != nil {
		return nil, err
	}
	if p.Mounts, err = initMounts(m.mounts); err != nil {
		return nil, err
	}
	if p.JoinNamespaces, err = initNamespaces(m.namespaces, config.Namespaces); err != nil {
		return nil, err
	}
	return p, nil
}

// allRlimits are the isolators' limits and the task's. What an isolator sets a task cannot lift.
func (m *merged) allRlimits(task []containerizer.Rlimit) []isolator.Rlimit {
	all := slices.Clone(m.rlimits)
	for _, l := range task {
		if _, taken := m.by["limit "+l.Type]; !taken {
			all = append(all, isolator.Rlimit{Type: l.Type, Soft: l.Soft, Hard: l.Hard})
		}
	}
	return all
}

func (m *merged) initRlimits(task []containerizer.Rlimit) ([]initproto.Rlimit, error) {
	all := m.allRlimits(task)
	out := make([]initproto.Rlimit, 0, len(all))
	for _, l := range all {
		n, ok := rlimitNumbers[l.Type]
		if !ok {
			return nil, fmt.Errorf("this system has no limit %q", l.Type)
		}
		if l.Soft > l.Hard {
			return nil, fmt.Errorf("limit %s: its soft value is beyond its hard value", l.Type)
		}
		out = append(out, initproto.Rlimit{Resource: n, Soft: l.Soft, Hard: l.Hard})
	}
	return out, nil
}

// commandLine is the program and the argument vector of a command.
func commandLine(c containerizer.Command) (path string, args []string) {
	switch {
	case c.Shell:
		return "/bin/sh", []string{"sh", "-c", c.Value}
	case len(c.Arguments) == 0:
		return c.Value, []string{c.Value}
	default:
		return c.Value, c.Arguments
	}
}
