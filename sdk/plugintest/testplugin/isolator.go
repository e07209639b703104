package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// testIsolator keeps a file for each container, which is all that it isolates.
type testIsolator struct {
	mode   string
	config Config
	dir    string
}

// state is what a handle holds.
type state struct {
	File  string
	Limit bool // the container reaches a limit at once
}

func newIsolator(mode string) func(context.Context, sdk.Host, Config) (*testIsolator, error) {
	return func(_ context.Context, h sdk.Host, c Config) (*testIsolator, error) {
		if err := c.check(h, mode); err != nil {
			return nil, err
		}
		return &testIsolator{mode: mode, config: c, dir: filepath.Join(h.DataDir, "containers")}, start(mode)
	}
}

func (t *testIsolator) file(id string) string { return filepath.Join(t.dir, filepath.Base(id)) }

func (t *testIsolator) Recover(_ context.Context, instance string, known []isolator.Container) ([]isolator.Container, error) {
	if t.mode == "lies" {
		return []isolator.Container{{ID: "", Instance: "another"}}, nil
	}
	is := map[string]bool{}
	for _, c := range known {
		is[c.ID] = true
	}
	files, err := os.ReadDir(t.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var unknown []isolator.Container
	for _, f := range files {
		if !is[f.Name()] {
			unknown = append(unknown, isolator.Container{ID: f.Name(), Instance: instance})
		}
	}
	return unknown, nil
}

func (t *testIsolator) Prepare(ctx context.Context, s isolator.Spec) (isolator.Plan, error) {
	misbehave(t.mode)
	misbehave(s.Labels["misbehave"])
	if err := pause(ctx, t.config.Pause); err != nil {
		return isolator.Plan{}, err
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return isolator.Plan{}, err
	}
	data, err := json.Marshal(state{File: t.file(s.Container.ID), Limit: s.Labels["limit"] != ""})
	if err != nil {
		return isolator.Plan{}, err
	}
	if err := os.WriteFile(t.file(s.Container.ID), data, 0o600); err != nil {
		return isolator.Plan{}, err
	}
	plan := isolator.Plan{Handle: isolator.Handle{HandleVersion: 1, Data: data}, Env: []string{"MARKER=" + t.config.Marker}}
	if t.mode == "hoards" {
		if _, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0); err != nil {
			return isolator.Plan{}, err
		}
	}
	if t.mode == "lies" {
		plan.CgroupPaths = []string{"/sys/fs/cgroup/../../../etc"}
	}
	return plan, nil
}

func (t *testIsolator) Isolate(_ context.Context, c isolator.Container, _ int) error {
	misbehave(t.mode)
	return t.exists(c)
}

// exists says whether the container was prepared.
func (t *testIsolator) exists(c isolator.Container) error {
	if _, err := os.Stat(t.file(c.ID)); err != nil {
		return sdk.Errorf(sdk.NotFound, "container %s was not prepared", c.ID)
	}
	return nil
}

func (t *testIsolator) Watch(ctx context.Context, c isolator.Container, emit func(isolator.Limitation) error) error {
	if t.mode == "hangs" {
		misbehave(t.mode)
	}
	var s state
	if err := json.Unmarshal(c.Handle.Data, &s); err == nil && s.Limit {
		if err := emit(isolator.Limitation{Reason: isolator.LimitationMemory, Message: "it has reached its limit", Used: 2, Limit: 1}); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if t.exists(c) != nil {
			return nil
		}
	}
}

func (t *testIsolator) Update(_ context.Context, c isolator.Container, _ resource.Resources, _ map[string]resource.Limit) error {
	misbehave(t.mode)
	return t.exists(c)
}

func (t *testIsolator) Usage(_ context.Context, cs []isolator.Container) (map[string]isolator.Usage, error) {
	misbehave(t.mode)
	out := map[string]isolator.Usage{}
	for _, c := range cs {
		if t.exists(c) == nil {
			one := uint32(1)
			out[c.ID] = isolator.Usage{Timestamp: time.Now(), Processes: &one}
		}
	}
	if t.mode == "lies" {
		out["a-container-that-was-not-asked-about"] = isolator.Usage{}
	}
	return out, nil
}

func (t *testIsolator) Status(_ context.Context, cs []isolator.Container) (map[string]isolator.Status, error) {
	misbehave(t.mode)
	out := map[string]isolator.Status{}
	for _, c := range cs {
		if t.exists(c) == nil {
			out[c.ID] = isolator.Status{}
		}
	}
	return out, nil
}

func (t *testIsolator) Cleanup(ctx context.Context, c isolator.Container) error {
	misbehave(t.mode)
	if err := pause(ctx, t.config.Pause); err != nil {
		return err
	}
	if err := os.Remove(t.file(c.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
