package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killPatience is how long killed processes may take to go.
const killPatience = 5 * time.Second

// Remove kills what is left in the group and removes it, and the groups above when they are empty. It may be called
// twice.
func (g *Group) Remove() error {
	// No process can escape being killed by having forked another.
	_ = write(filepath.Join(g.h.pids, g.path()), "pids.max", "0")
	deadline := time.Now().Add(killPatience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		var errs error
		for _, folder := range g.folders() {
			errs = errors.Join(errs, removeFolder(folder))
		}
		if errs == nil {
			g.removeParents()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove the cgroup %s: %w", g.path(), errs)
		}
		time.Sleep(pause)
	}
}

// removeParents removes the groups above, up to the first that is in use.
func (g *Group) removeParents() {
	for _, base := range g.h.all {
		for above := g.parent; above != "."; above = path.Dir(above) {
			if err := syscall.Rmdir(filepath.Join(base, above)); err != nil && !errors.Is(err, syscall.ENOENT) {
				break
			}
		}
	}
}

// removeFolder removes a group once, with those that were made in it, and kills what is in them. While processes are
// dying it fails.
func removeFolder(folder string) error {
	inner, err := inside(folder)
	if err != nil {
		return err
	}
	for _, name := range inner {
		err = errors.Join(err, removeFolder(filepath.Join(folder, name)))
	}
	if err := errors.Join(err, killMembers(folder)); err != nil {
		return err
	}
	if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return nil
}

// inside are the names of the groups directly in one.
func inside(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// killMembers kills the processes of one group, but never this one, of which a thread may be on its way out.
func killMembers(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
		return err
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return nil
}

// Clear removes what a host that was killed has left below its parent, and kills what is in it.
func Clear(parent string) error {
	h, err := find(mount)
	if err != nil {
		return nil // then nobody has made any
	}
	var names []string
	for _, base := range h.all {
		found, err := inside(filepath.Join(base, parent))
		if err != nil {
			return fmt.Errorf("look for left cgroups: %w", err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	var errs error
	for _, name := range slices.Compact(names) {
		errs = errors.Join(errs, (&Group{h: h, parent: parent, name: name}).Remove())
	}
	(&Group{h: h, parent: parent}).removeParents()
	return errs
}
