package isolator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	contract "github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/handshake"
)

// Bounds of a plan.
const (
	maxEntries = 1000    // of each list
	maxText    = 4 << 10 // bytes of each string
)

// checkPlan refuses a plan that an agent could not carry out, or not safely.
func checkPlan(p contract.Plan) error {
	if len(p.Handle.Data) > handshake.MaxHandle {
		return fmt.Errorf("the handle has %d bytes, and %d are allowed", len(p.Handle.Data), handshake.MaxHandle)
	}
	for name, n := range map[string]int{
		"env": len(p.Env), "mounts": len(p.Mounts), "devices": len(p.Devices), "namespaces": len(p.Namespaces),
		"rlimits": len(p.Rlimits), "prestart": len(p.Prestart), "cgroup_paths": len(p.CgroupPaths),
	} {
		if n > maxEntries {
			return fmt.Errorf("%s has %d entries, and %d are allowed", name, n, maxEntries)
		}
	}
	for _, check := range []func(contract.Plan) error{checkEnv, checkMounts, checkDevices, checkNamespaces, checkPaths} {
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

func checkEnv(p contract.Plan) error {
	for _, e := range p.Env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("the environment entry %.80q is not name=value", e)
		}
	}
	return nil
}

func checkMounts(p contract.Plan) error {
	for _, m := range p.Mounts {
		if err := absolute("the mount's destination", m.Destination); err != nil {
			return err
		}
		bind := m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
		if bind {
			if err := absolute("the mount's source", m.Source); err != nil {
				return err
			}
		}
		if len(m.Options) > maxEntries {
			return fmt.Errorf("the mount of %s has %d options", m.Destination, len(m.Options))
		}
	}
	return nil
}

func checkDevices(p contract.Plan) error {
	for _, d := range p.Devices {
		if err := absolute("the device's path", d.Path); err != nil {
			return err
		}
		if !strings.Contains("cbup", d.Type) || len(d.Type) != 1 {
			return fmt.Errorf("the device %s is of the unknown type %.20q", d.Path, d.Type)
		}
		if strings.Trim(d.Access, "rwm") != "" {
			return fmt.Errorf("the device %s has the access %.20q, which is not letters of rwm", d.Path, d.Access)
		}
	}
	return nil
}

var namespaces = []contract.NamespaceType{
	contract.PIDNamespace, contract.NetworkNamespace, contract.MountNamespace, contract.IPCNamespace,
	contract.UTSNamespace, contract.UserNamespace, contract.CgroupNamespace, contract.TimeNamespace,
}

func checkNamespaces(p contract.Plan) error {
	var seen []contract.NamespaceType
	for _, n := range p.Namespaces {
		if !slices.Contains(namespaces, n.Type) {
			return fmt.Errorf("the namespace %.20q is unknown", n.Type)
		}
		if slices.Contains(seen, n.Type) {
			return fmt.Errorf("the namespace %s is there twice", n.Type)
		}
		seen = append(seen, n.Type)
		if n.Path != "" {
			if err := absolute("the namespace's path", n.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPaths looks at what is left. A cgroup path becomes a file that the agent writes a process id to, so
// it must not lead elsewhere.
func checkPaths(p contract.Plan) error {
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
	for _, l := range p.Rlimits {
		if !strings.HasPrefix(l.Type, "RLIMIT_") || l.Soft > l.Hard {
			return fmt.Errorf("the limit %.40q is unknown, or its soft value is above its hard one", l.Type)
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

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
