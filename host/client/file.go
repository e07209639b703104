package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// followPause is how often a followed file is asked for more.
const followPause = 200 * time.Millisecond

// Sandbox is the directory of a task's files on its agent.
type Sandbox struct {
	client *Client
	agent  *url.URL
	task   *mesos.Task
	dir    string
}

// ErrNoTask is returned for a task that no master knows.
var ErrNoTask = errors.New("there is no such task")

// FindTask returns the task with that id, of that framework unless it is empty. Where several frameworks have
// one, a task that has not ended is preferred; otherwise the error names the frameworks.
func (c *Client) FindTask(ctx context.Context, id, framework string) (*mesos.Task, error) {
	tasks, err := c.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	var active, all []*mesos.Task
	for _, t := range tasks.All() {
		if t.GetTaskId().GetValue() != id || framework != "" && t.GetFrameworkId().GetValue() != framework {
			continue
		}
		all = append(all, t)
		if !IsTerminal(t.GetState()) {
			active = append(active, t)
		}
	}
	switch {
	case len(active) == 1:
		return active[0], nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return nil, fmt.Errorf("task %q: %w (see `mezzo ps --all`)", id, ErrNoTask)
	}
	return nil, fmt.Errorf("several frameworks have a task %q: %s; pass --framework", id, frameworksOf(all))
}

func frameworksOf(tasks []*mesos.Task) string {
	var ids []string
	for _, t := range tasks {
		ids = append(ids, t.GetFrameworkId().GetValue())
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ", ")
}

// Sandbox returns the sandbox of a task. The agent must be one that the master knows.
func (c *Client) Sandbox(ctx context.Context, task *mesos.Task) (*Sandbox, error) {
	agents, err := c.Agents(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		if a.GetAgentInfo().GetId().GetValue() == task.GetAgentId().GetValue() {
			u, err := c.agentURL(a)
			if err != nil {
				return nil, err
			}
			return &Sandbox{client: c, agent: u, task: task, dir: sandboxPath(task)}, nil
		}
	}
	return nil, fmt.Errorf("agent %s, where task %s was, is not registered; its files cannot be read",
		task.GetAgentId().GetValue(), task.GetTaskId().GetValue())
}

// agentURL takes an agent's address from its pid, `slave(1)@host:port`.
func (c *Client) agentURL(a *master.Response_GetAgents_Agent) (*url.URL, error) {
	_, at, ok := strings.Cut(a.GetPid(), "@")
	if !ok {
		return nil, fmt.Errorf("agent %s does not say where it listens", a.GetAgentInfo().GetId().GetValue())
	}
	return address.Parse(at, c.scheme)
}

// sandboxPath is the virtual path of a task's sandbox. The executor of a command task is named as the task.
func sandboxPath(t *mesos.Task) string {
	executor := t.GetExecutorId().GetValue()
	if executor == "" {
		executor = t.GetTaskId().GetValue()
	}
	return "/frameworks/" + t.GetFrameworkId().GetValue() + "/executors/" + executor + "/runs/latest"
}

// Read returns a piece of a file from an offset on, at most what the agent gives at once, and the file's size.
func (s *Sandbox) Read(ctx context.Context, name string, offset int64) (data []byte, size int64, err error) {
	call := &agent.Call{Type: agent.Call_READ_FILE.Enum(), ReadFile: &agent.Call_ReadFile{
		Path: proto.String(s.dir + "/" + name), Offset: proto.Uint64(uint64(offset)),
	}}
	r, err := s.client.agentCall(ctx, s.agent, call)
	if IsStatus(err, http.StatusNotFound) {
		return nil, 0, fmt.Errorf("file %s of task %s is not there (any more): %w", name, s.task.GetTaskId().GetValue(), err)
	}
	return r.GetReadFile().GetData(), int64(r.GetReadFile().GetSize()), err
}

// Copy writes a file from an offset on to w, to its present end, and returns the offset reached.
func (s *Sandbox) Copy(ctx context.Context, w io.Writer, name string, offset int64) (int64, error) {
	for {
		data, _, err := s.Read(ctx, name, offset)
		if err != nil || len(data) == 0 {
			return offset, err
		}
		n, err := w.Write(data)
		offset += int64(n)
		if err != nil {
			return offset, fmt.Errorf("write %s: %w", name, err)
		}
	}
}

// Follow writes a file to w, and what is appended to it, until done is closed and the end is reached, or ctx is
// done. A file that is not there yet is waited for; a nil done means for ever.
func (s *Sandbox) Follow(ctx context.Context, w io.Writer, name string, offset int64, done <-chan struct{}) error {
	for last := false; ; {
		at, err := s.Copy(ctx, w, name, offset)
		if err != nil && (last || !IsStatus(err, http.StatusNotFound)) {
			return err
		}
		if offset = at; last {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			last = true
		case <-time.After(followPause):
		}
	}
}

func (c *Client) agentCall(ctx context.Context, u *url.URL, call *agent.Call) (*agent.Response, error) {
	body, err := proto.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call.GetType(), err)
	}
	resp, err := c.send(ctx, u, request{method: http.MethodPost, path: "/api/v1", header: protobufHeader(), body: body})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("agent at %s does not answer: %w", u.Host, plainly(err))
	}
	data, err := success(resp, http.StatusOK)
	if err != nil {
		return nil, err
	}
	answer := &agent.Response{}
	if err := proto.Unmarshal(data, answer); err != nil {
		return nil, fmt.Errorf("decode answer of agent at %s: %w", u.Host, err)
	}
	return answer, nil
}

// IsTerminal tells whether a task in that state has ended.
func IsTerminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}
