package record

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Framework is a framework that has something on the agent.
type Framework struct {
	// Info is an encoded mesos.v1.FrameworkInfo.
	Info []byte
}

// Encode returns the value.
func (f Framework) Encode() []byte { return newWriter().bytes(1, f.Info) }

func (f *Framework) fields() map[protowire.Number]any { return map[protowire.Number]any{1: &f.Info} }

// Task is a task that the agent has taken on. It is written before the container is launched.
type Task struct {
	// Container is empty for a task that was refused.
	Container string
	// Directory is the sandbox's absolute path.
	Directory string
	// Info is an encoded mesos.v1.TaskInfo.
	Info []byte
}

// Encode returns the value.
func (t Task) Encode() []byte {
	return newWriter().text(1, t.Container).text(2, t.Directory).bytes(3, t.Info)
}

func (t *Task) fields() map[protowire.Number]any {
	return map[protowire.Number]any{1: &t.Container, 2: &t.Directory, 3: &t.Info}
}

// Update is a status update. It is written before it is sent.
type Update struct {
	// Status is an encoded mesos.v1.TaskStatus, with a uuid.
	Status []byte
}

// Encode returns the value.
func (u Update) Encode() []byte { return newWriter().bytes(1, u.Status) }

func (u *Update) fields() map[protowire.Number]any { return map[protowire.Number]any{1: &u.Status} }

// Acknowledged is how many of a task's updates, the oldest first, have been acknowledged.
type Acknowledged struct{ Count uint64 }

// Encode returns the value.
func (a Acknowledged) Encode() []byte { return newWriter().number(1, a.Count) }

func (a *Acknowledged) fields() map[protowire.Number]any {
	return map[protowire.Number]any{1: &a.Count}
}

// Kill is that a task was asked to end.
type Kill struct {
	// Cause is the agent's own number for why.
	Cause uint64
	// Asked and Deadline, by the wall clock, are when it was asked and when it will be forced.
	Asked, Deadline time.Time
}

// Encode returns the value.
func (k Kill) Encode() []byte {
	return newWriter().number(1, k.Cause).time(2, k.Asked).time(3, k.Deadline)
}

func (k *Kill) fields() map[protowire.Number]any {
	return map[protowire.Number]any{1: &k.Cause, 2: &k.Asked, 3: &k.Deadline}
}

// Sandbox is the directory of a container that has ended, to be removed some day.
type Sandbox struct {
	Framework, Executor, Container string
	Directory                      string
	Ended                          time.Time
}

// Encode returns the value.
func (s Sandbox) Encode() []byte {
	return newWriter().text(1, s.Framework).text(2, s.Executor).text(3, s.Container).text(4, s.Directory).time(5, s.Ended)
}

func (s *Sandbox) fields() map[protowire.Number]any {
	return map[protowire.Number]any{1: &s.Framework, 2: &s.Executor, 3: &s.Container, 4: &s.Directory, 5: &s.Ended}
}

// Epoch is the newest term of a master's leadership that the agent has heard of.
type Epoch struct{ Number uint64 }

// Encode returns the value.
func (e Epoch) Encode() []byte { return newWriter().number(1, e.Number) }

func (e *Epoch) fields() map[protowire.Number]any { return map[protowire.Number]any{1: &e.Number} }

// Boot is the run of the machine that the rest was last made to agree with.
type Boot struct{ ID string }

// Encode returns the value.
func (b Boot) Encode() []byte { return newWriter().text(1, b.ID) }

func (b *Boot) fields() map[protowire.Number]any { return map[protowire.Number]any{1: &b.ID} }
