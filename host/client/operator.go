package client

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// Operator makes a call of the operator API and returns the answer, which is empty for calls that answer nothing.
func (c *Client) Operator(ctx context.Context, call *master.Call) (*master.Response, error) {
	body, err := proto.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call.GetType(), err)
	}
	resp, err := c.do(ctx, request{method: http.MethodPost, path: "/api/v1", header: protobufHeader(), body: body})
	if err != nil {
		return nil, err
	}
	data, err := success(resp, http.StatusOK)
	if err != nil {
		return nil, err
	}
	answer := &master.Response{}
	if err := proto.Unmarshal(data, answer); err != nil {
		return nil, fmt.Errorf("decode answer to %s: %w", call.GetType(), err)
	}
	return answer, nil
}

// Agents returns the agents, those that have not come back since the master changed aside.
func (c *Client) Agents(ctx context.Context) ([]*master.Response_GetAgents_Agent, error) {
	r, err := c.Operator(ctx, &master.Call{Type: master.Call_GET_AGENTS.Enum()})
	return r.GetGetAgents().GetAgents(), err
}

// Frameworks returns the frameworks, and those that have completed.
func (c *Client) Frameworks(ctx context.Context) (active, completed []*master.Response_GetFrameworks_Framework, err error) {
	r, err := c.Operator(ctx, &master.Call{Type: master.Call_GET_FRAMEWORKS.Enum()})
	return r.GetGetFrameworks().GetFrameworks(), r.GetGetFrameworks().GetCompletedFrameworks(), err
}

// Tasks are a cluster's tasks by what has become of them.
type Tasks struct {
	// Active have not ended.
	Active []*mesos.Task
	// Unreachable are on agents that do not answer.
	Unreachable []*mesos.Task
	// Completed have ended; a master remembers only so many.
	Completed []*mesos.Task
}

// All returns all tasks.
func (t Tasks) All() []*mesos.Task {
	all := make([]*mesos.Task, 0, len(t.Active)+len(t.Unreachable)+len(t.Completed))
	all = append(all, t.Active...)
	all = append(all, t.Unreachable...)
	return append(all, t.Completed...)
}

// Tasks returns the tasks.
func (c *Client) Tasks(ctx context.Context) (Tasks, error) {
	r, err := c.Operator(ctx, &master.Call{Type: master.Call_GET_TASKS.Enum()})
	t := r.GetGetTasks()
	return Tasks{Active: t.GetTasks(), Unreachable: t.GetUnreachableTasks(), Completed: t.GetCompletedTasks()}, err
}

// Teardown ends a framework and all its tasks.
func (c *Client) Teardown(ctx context.Context, framework string) error {
	_, err := c.Operator(ctx, &master.Call{
		Type:     master.Call_TEARDOWN.Enum(),
		Teardown: &master.Call_Teardown{FrameworkId: &mesos.FrameworkID{Value: &framework}},
	})
	return err
}

// Leader returns the leading master's URL, after asking one if it is not known yet.
func (c *Client) Leader(ctx context.Context) (string, error) {
	if _, err := c.Operator(ctx, &master.Call{Type: master.Call_GET_HEALTH.Enum()}); err != nil {
		return "", err
	}
	return c.candidates()[0].String(), nil
}

func protobufHeader() http.Header {
	return http.Header{"Content-Type": {typeProtobuf}, "Accept": {typeProtobuf}}
}
