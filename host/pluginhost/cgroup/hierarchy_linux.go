package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is where cgroups are mounted: the one hierarchy of version 2, or a folder with one for each controller of
// version 1.
const mount = "/sys/fs/cgroup"

// controllers are those that limit a plugin.
var controllers = []string{"cpu", "memory", "pids"}

// hierarchy is where the controllers are. With version 2 it is the same folder for all.
type hierarchy struct {
	unified           bool
	cpu, memory, pids string
	all               []string // each once
}

// find looks for the machine's hierarchies.
func find(base string) (*hierarchy, error) {
	if uid := os.Geteuid(); uid != 0 {
		return nil, fmt.Errorf("no cgroup can be made: only root may, and this runs as user %d; leave the block out, or start mezzo as root", uid)
	}
	if fileSystem(base) == unix.CGROUP2_SUPER_MAGIC {
		text, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
		if err != nil {
			return nil, fmt.Errorf("no cgroup can be made: %w", err)
		}
		have := strings.Fields(string(text))
		if missing := slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return slices.Contains(have, c) }); len(missing) > 0 {
			return nil, fmt.Errorf("no cgroup can be made: the hierarchy at %s lacks the controllers %s", base, strings.Join(missing, ", "))
		}
		return &hierarchy{unified: true, cpu: base, memory: base, pids: base, all: []string{base}}, nil
	}
	return findSeparate(base)
}

// findSeparate is find for version 1.
func findSeparate(base string) (*hierarchy, error) {
	h := &hierarchy{}
	for name, at := range map[string]*string{"cpu": &h.cpu, "memory": &h.memory, "pids": &h.pids} {
		folder, err := filepath.EvalSymlinks(filepath.Join(base, name))
		if err != nil || fileSystem(folder) != unix.CGROUP_SUPER_MAGIC {
			return nil, fmt.Errorf("no cgroup can be made: there is neither a hierarchy of version 2 at %s, nor one of version 1 at %s/%s; "+
				"mount them, or leave the block out", base, base, name)
		}
		*at = folder
		if !slices.Contains(h.all, folder) {
			h.all = append(h.all, folder)
		}
	}
	return h, nil
}

func fileSystem(folder string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil {
		return 0
	}
	return int64(fs.Type) //nolint:unconvert // the type differs between machines
}

// make makes a group in all hierarchies, or in none of them: os.ErrExist if there is one in any.
func (h *hierarchy) make(parent, name string) (_ *Group, err error) {
	g := &Group{h: h, parent: parent, name: name}
	made := []string{}
	defer func() {
		for _, folder := range made {
			if err != nil {
				_ = os.Remove(folder)
			}
		}
	}()
	for _, folder := range g.folders() {
		if err := makeFolder(folder); err != nil {
			return nil, err
		}
		made = append(made, folder)
	}
	if !h.unified {
		return g, nil
	}
	above := h.all[0]
	for _, part := range append([]string{""}, strings.Split(parent, "/")...) {
		above = filepath.Join(above, part)
		if err := write(above, "cgroup.subtree_control", "+"+strings.Join(controllers, " +")); err != nil {
			return nil, fmt.Errorf("turn controllers on in %s: %w", above, err)
		}
	}
	return g, nil
}

// makeFolder makes a group that is not there yet, below others that may come and go: the end of other groups, also
// of another program's, removes those above it when they are empty.
func makeFolder(folder string) error {
	const mode, tries = 0o755, 20
	var err error
	for range tries {
		if err = os.Mkdir(folder, mode); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		above := os.MkdirAll(filepath.Dir(folder), mode)
		if above != nil && !errors.Is(above, os.ErrNotExist) && !errors.Is(above, os.ErrExist) {
			return above
		}
	}
	return err
}

// write writes a value to a file of a group. The kernel takes or refuses it at once.
func write(folder, name, value string) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}
