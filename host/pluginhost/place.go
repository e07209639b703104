package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/cgroup"
)

// takePlace makes the runtime folder this host's, and removes what a host that was killed has left in it and in the
// cgroup. It fails while another host is there.
func (h *Host) takePlace() error {
	dir := h.options.RuntimeDir
	if dir == "" || !filepath.IsAbs(dir) {
		return fmt.Errorf("the plugins' runtime folder %q is not an absolute path", dir)
	}
	release, err := claimDir(dir)
	if err != nil {
		return fmt.Errorf("make the plugins' runtime folder: %w", err)
	}
	h.mu.Lock()
	h.release = release
	h.mu.Unlock()
	if err := emptyDir(dir); err != nil {
		return fmt.Errorf("clear the plugins' runtime folder: %w", err)
	}
	if h.options.Cgroup != "" {
		if err := cgroup.Clear(h.options.Cgroup); err != nil {
			h.options.Logger.Warn("an earlier host's plugins have left something in their cgroups", "error", err)
		}
	}
	return os.Chmod(dir, 0o711)
}

// leavePlace removes the runtime folder, if it is this host's.
func (h *Host) leavePlace() {
	h.mu.Lock()
	release := h.release
	h.release = nil
	h.mu.Unlock()
	if release != nil {
		release()
	}
}

func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
