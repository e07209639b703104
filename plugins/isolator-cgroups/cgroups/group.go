//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// group names a container's cgroups: root/instance/id below each hierarchy.
type group struct{ root, instance, id string }

func (g group) path() string   { return path.Join(g.root, g.instance, g.id) }
func (g group) parent() string { return path.Join(g.root, g.instance) }

// newGroup makes the name, and refuses ids that would lead elsewhere.
func newGroup(root string, c isolator.Container) (group, error) {
	for _, name := range []string{c.ID, c.Instance} {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return group{}, sdk.Errorf(sdk.InvalidArgument, "%q is not the name of a cgroup", name)
		}
	}
	return group{root: root, instance: c.Instance, id: c.ID}, nil
}

// makeFolder makes a cgroup below its parent's, which may come and go: another container's end may remove it when
// it is empty.
func makeFolder(name string) error {
	const mode, tries = 0o755, 20
	var err error
	for range tries {
		if err = os.Mkdir(name, mode); err == nil || errors.Is(err, os.ErrExist) {
			return nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// A parent that goes while MkdirAll looks at it gives either error.
		err := os.MkdirAll(filepath.Dir(name), mode)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return err
}

// removeFolder removes a cgroup with those that were made in it. What runs in them is killed. errBusy means that
// something is still dying.
func removeFolder(name string) error {
	err := syscall.Rmdir(name)
	if err == nil || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("remove cgroup %s: %w", name, err)
	}
	entries, err := os.ReadDir(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeFolder(filepath.Join(name, e.Name())); err != nil && !errors.Is(err, errBusy) {
				return err
			}
		}
	}
	if err := killMembers(name); err != nil {
		return err
	}
	switch err := syscall.Rmdir(name); {
	case err == nil, errors.Is(err, syscall.ENOENT):
		return nil
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.ENOTEMPTY):
		return fmt.Errorf("remove cgroup %s: %w", name, errBusy)
	default:
		return fmt.Errorf("remove cgroup %s: %w", name, err)
	}
}

var errBusy = errors.New("its processes have not ended yet")

// killMembers kills the processes of one cgroup.
func killMembers(name string) error {
	pids, err := members(name)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d of cgroup %s: %w", pid, name, err)
		}
	}
	return nil
}

// members are the processes of one cgroup. One of another pid namespace shows as 0, and is left out.
func members(name string) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(name, "cgroup.procs"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// removeEmpty removes cgroups from the innermost outwards, up to the first that is in use.
func removeEmpty(below string, names ...string) {
	for _, name := range names {
		for name != "." {
			if err := syscall.Rmdir(filepath.Join(below, name)); err != nil && !errors.Is(err, syscall.ENOENT) {
				break
			}
			name = path.Dir(name)
		}
	}
}

// folders are the cgroups directly below one.
func folders(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
