package isolator

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Bounds of a plan.
const (
	maxEntries = 1000    // of each list
	maxText    = 4 << 10 // bytes of each path
)

// Validate says what of a plan an agent refuses to carry out, naming the entry: the agent and the conformance kit
// hold plans against it. What only the machine can tell (a source that is not there, a limit that its kernel does not
// have) fails the launch later.
func (p Plan) Validate() error {
	lists := []struct {
		name string
		size int
	}{
		{"Env", len(p.Env)}, {"Mounts", len(p.Mounts)}, {"Devices", len(p.Devices)}, {"Namespaces", len(p.Namespaces)},
		{"Rlimits", len(p.Rlimits)}, {"Prestart", len(p.Prestart)}, {"CgroupPaths", len(p.CgroupPaths)},
	}
	for _, l := range lists {
		if l.size > maxEntries {
			return fmt.Errorf("%s has %d entries, and %d are allowed", l.name, l.size, maxEntries)
		}
	}
	for _, check := range []func(Plan) error{checkEnv, checkMounts, checkDevices, checkNamespaces, checkRlimits, checkPaths} {
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

func checkEnv(p Plan) error {
	for _, e := range p.Env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("the environment entry %.80q is not name=value", e)
		}
	}
	return nil
}

func checkMounts(p Plan) error {
	for _, m := range p.Mounts {
		if err := absolute("the mount's destination", m.Destination); err != nil {
			return err
		}
		bind := m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
		if bind {
			if err := absolute("the source of the mount at "+m.Destination, m.Source); err != nil {
				return err
			}
		}
		if len(m.Options) > maxEntries {
			return fmt.Errorf("the mount at %s has %d options, and %d are allowed", m.Destination, len(m.Options), maxEntries)
		}
	}
	return nil
}

func checkDevices(p Plan) error {
	for _, d := range p.Devices {
		if err := absolute("the device's path", d.Path); err != nil {
			return err
		}
		if !strings.Contains("cbup", d.Type) || len(d.Type) != 1 {
			return fmt.Errorf("the device %s is of the type %.20q, which is none of c, b, u and p", d.Path, d.Type)
		}
		if strings.Trim(d.Access, "rwm") != "" {
			return fmt.Errorf("the device %s has the access %.20q, which is not letters of rwm", d.Path, d.Access)
		}
	}
	return nil
}

var namespaceTypes = []NamespaceType{
	PIDNamespace, NetworkNamespace, MountNamespace, IPCNamespace, UTSNamespace, UserNamespace, CgroupNamespace, TimeNamespace,
}

func checkNamespaces(p Plan) error {
	var seen []NamespaceType
	for _, n := range p.Namespaces {
		if !slices.Contains(namespaceTypes, n.Type) {
			return fmt.Errorf("the namespace %.20q is none of %v", n.Type, namespaceTypes)
		}
		if slices.Contains(seen, n.Type) {
			return fmt.Errorf("the namespace %s is there twice", n.Type)
		}
		seen = append(seen, n.Type)
		if n.Path != "" {
			if err := absolute("the path of the "+string(n.Type)+" namespace", n.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRlimits(p Plan) error {
	for _, l := range p.Rlimits {
		if !strings.HasPrefix(l.Type, "RLIMIT_") {
			return fmt.Errorf("the limit %.40q is no name such as RLIMIT_NOFILE", l.Type)
		}
		if l.Soft > l.Hard {
			return fmt.Errorf("the limit %.40s has the soft value %d, which is above its hard one, %d", l.Type, l.Soft, l.Hard)
		}
	}
	return nil
}

// checkPaths looks at what is left. A cgroup path becomes a file that the agent writes a process id to, so it must not
// lead elsewhere.
func checkPaths(p Plan) error {
	for _, c := range p.CgroupPaths {
		if err := absolute("the cgroup's path", c); err != nil {
			return err
		}
		if !strings.HasPrefix(c, "/sys/fs/cgroup/") {
			return fmt.Errorf("the cgroup %.200q is not below /sys/fs/cgroup", c)
		}
	}
	for _, c := range p.Prestart {
		if err := absolute("the prestart command", c.Path); err != nil {
			return err
		}
	}
	if p.RootFS != "" {
		return absolute("the root file system", p.RootFS)
	}
	return nil
}

func absolute(what, file string) error {
	if !path.IsAbs(file) || path.Clean(file) != file || len(file) > maxText || strings.ContainsRune(file, 0) {
		return fmt.Errorf("%s %.200q is not a clean absolute path", what, file)
	}
	return nil
}
