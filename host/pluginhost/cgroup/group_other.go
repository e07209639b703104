//go:build !linux

package cgroup

import (
	"fmt"
	"os/exec"
	"runtime"
)

// Group is a control group, of which there are none here.
type Group struct{}

// Make fails.
func Make(string, string, Limits) (*Group, error) {
	return nil, fmt.Errorf("no cgroup can be made: %s has none; leave the block out", runtime.GOOS)
}

// Clear has nothing to clear.
func Clear(string) error { return nil }

// Start is not reached: there is no group.
func (g *Group) Start(cmd *exec.Cmd, start func(*exec.Cmd) error) error { return start(cmd) }

// OutOfMemory is false.
func (g *Group) OutOfMemory() bool { return false }

// Remove has nothing to remove.
func (g *Group) Remove() error { return nil }
