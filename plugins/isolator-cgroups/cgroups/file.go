//go:build linux

package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/mezzo-cluster/mezzo/sdk"
)

// write writes a value to a file of a cgroup. The kernel takes or refuses it at once.
func write(folder, name string, value int64) error {
	return writeText(folder, name, strconv.FormatInt(value, 10))
}

func writeText(folder, name, value string) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return coded(fmt.Errorf("set %s to %s: %w", name, value, err))
	}
	return nil
}

// coded gives an error of the kernel the code that says what is to be done about it.
func coded(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EAGAIN):
		return sdk.Errorf(sdk.ResourceExhausted, "%w", err)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ERANGE):
		return sdk.Errorf(sdk.InvalidArgument, "%w", err)
	case errors.Is(err, syscall.EBUSY):
		return sdk.Errorf(sdk.Aborted, "%w", err)
	case errors.Is(err, os.ErrNotExist):
		return sdk.Errorf(sdk.NotFound, "%w", err)
	default:
		return sdk.Errorf(sdk.FailedPrecondition, "%w", err)
	}
}

// read is a file of a cgroup without the white space around it; empty when it cannot be read.
func read(folder, name string) string {
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number reads a file that holds one number. "max" of version 2 is none.
func number(folder, name string) *uint64 {
	n, err := strconv.ParseUint(read(folder, name), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// table reads a file of names and numbers.
func table(folder, name string) map[string]uint64 {
	out := map[string]uint64{}
	for line := range strings.Lines(read(folder, name)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			out[key] = n
		}
	}
	return out
}

// entry is a number of a table, or nil.
func entry(t map[string]uint64, key string) *uint64 {
	if n, ok := t[key]; ok {
		return &n
	}
	return nil
}

// small is a number as Mesos's 32-bit fields have it.
func small(n *uint64) *uint32 {
	if n == nil {
		return nil
	}
	v := uint32(min(*n, 1<<32-1))
	return &v
}

// seconds is a number of units of time as seconds.
func seconds(n *uint64, perSecond float64) *float64 {
	if n == nil {
		return nil
	}
	v := float64(*n) / perSecond
	return &v
}
