//go:build unix

package launcher

import (
	"encoding/json"
	"fmt"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
)

// recordVersion is that of the checkpoint's form.
const recordVersion = 1

// record is what is checkpointed of a container. The command and its environment are not in it: they may hold
// secrets.
type record struct {
	Version   int               `json:"version"`
	Boot      string            `json:"boot"` // pids mean nothing after another boot
	Framework string            `json:"framework,omitempty"`
	Executor  string            `json:"executor,omitempty"`
	Task      string            `json:"task,omitempty"`
	Pid       int               `json:"pid,omitempty"` // of mezzo-init; 0 before it was started
	Start     uint64            `json:"start,omitempty"`
	Handles   map[string]handle `json:"handles,omitempty"` // by the isolator's name
	// Launcher is the isolator that launched it; empty for mezzo-init, which keeps the rest in its status file.
	Launcher string `json:"launcher,omitempty"`
	Released bool   `json:"released,omitempty"` // the launcher has let the command go, or is about to
	Exit     *exit  `json:"exit,omitempty"`     // as the launcher has told it
}

// exit is how a container ended.
type exit struct {
	WaitStatus int  `json:"wait_status"`
	Known      bool `json:"known"`
}

type handle struct {
	Plugin        string `json:"plugin,omitempty"`
	Version       string `json:"version,omitempty"`
	HandleVersion uint32 `json:"handle_version,omitempty"`
	Data          []byte `json:"data,omitempty"`
}

func newRecord(boot string, s containerizer.Spec) record {
	return record{Version: recordVersion, Boot: boot, Framework: s.Framework, Executor: s.Executor, Task: s.Task}
}

func parseRecord(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, err
	}
	if r.Version != recordVersion {
		return record{}, fmt.Errorf("it has version %d, known is %d", r.Version, recordVersion)
	}
	return r, nil
}

func (r *record) handle(name string) isolator.Handle {
	h := r.Handles[name]
	return isolator.Handle{Plugin: h.Plugin, Version: h.Version, HandleVersion: h.HandleVersion, Data: h.Data}
}

func (r *record) setHandle(i *isolatorState, h isolator.Handle) {
	if r.Handles == nil {
		r.Handles = map[string]handle{}
	}
	r.Handles[i.Name] = handle{Plugin: i.Plugin, Version: i.Version, HandleVersion: h.HandleVersion, Data: h.Data}
}

// save checkpoints a container.
func (l *Launcher) save(c *container) error {
	c.mu.Lock()
	b, err := json.Marshal(&c.record)
	c.mu.Unlock()
	if err == nil {
		err = l.config.Store.Put(c.id, b)
	}
	if err != nil {
		return fmt.Errorf("checkpoint the container: %w", err)
	}
	return nil
}
