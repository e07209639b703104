package agentapi

import (
	"context"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// viewer is an agent's state as one caller sees it. It is for one request, on one goroutine.
type viewer struct {
	state                         *agent.State
	frameworks, executors, tasks_ *access.View
	err                           error
}

func (e *Endpoints) viewer(ctx context.Context, who access.Principal, state *agent.State) (*viewer, error) {
	v := &viewer{state: state}
	for _, ask := range []struct {
		view   **access.View
		action authorizer.Action
	}{
		{&v.frameworks, authorizer.ViewFramework}, {&v.executors, authorizer.ViewExecutor}, {&v.tasks_, authorizer.ViewTask},
	} {
		var err error
		if *ask.view, err = e.Control.View(ctx, who, ask.action); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Err is what went wrong while things were selected or decoded; nil if nothing did.
func (v *viewer) Err() error {
	for _, view := range []*access.View{v.frameworks, v.executors, v.tasks_} {
		if err := view.Err(); err != nil {
			return err
		}
	}
	return v.err
}

// framework is a framework that may be seen.
type framework struct {
	*agent.Framework
	info   *mesos.FrameworkInfo
	object *access.Framework
}

// framework returns a framework, nil if it may not be seen.
func (v *viewer) framework(ctx context.Context, f *agent.Framework) *framework {
	info, err := f.Message()
	if err != nil {
		v.err = err
		return nil
	}
	seen := &framework{Framework: f, info: info, object: frameworkObject(info)}
	if !v.frameworks.Allows(ctx, seen.object) {
		return nil
	}
	return seen
}

func frameworkObject(info *mesos.FrameworkInfo) *access.Framework {
	return &access.Framework{
		ID: info.GetId().GetValue(), Name: info.GetName(), User: info.GetUser(), Principal: info.GetPrincipal(),
		Roles: rolesOf(info), Labels: info.GetLabels,
	}
}

func rolesOf(info *mesos.FrameworkInfo) []string {
	switch {
	case len(info.GetRoles()) > 0:
		return info.GetRoles()
	case info.GetRole() != "":
		return []string{info.GetRole()}
	}
	return []string{resource.DefaultRole}
}

func (v *viewer) executor(ctx context.Context, f *framework, x *agent.Executor) bool {
	return v.executors.All() || v.executors.Allows(ctx, executorObject(v.state, f.object, x))
}

func executorObject(s *agent.State, f *access.Framework, x *agent.Executor) *access.Executor {
	return &access.Executor{
		ID: x.ID, Name: x.Name, User: executorUser(f, x), Agent: s.AgentID, Labels: x.Labels, Framework: f,
	}
}

// executorUser is the OS user that an executor runs as. What stands for a command task runs as the task does.
func executorUser(f *access.Framework, x *agent.Executor) string {
	for _, tasks := range [][]*agent.Task{x.Tasks, x.Queued, x.Terminated, x.Completed} {
		for _, t := range tasks {
			info, err := t.TaskInfo()
			if err != nil {
				continue
			}
			if user := info.GetCommand().GetUser(); x.CommandTask && user != "" {
				return user
			}
			if user := info.GetExecutor().GetCommand().GetUser(); !x.CommandTask && user != "" {
				return user
			}
		}
	}
	return f.User
}

// tasks returns those of the tasks that may be seen, as messages.
func (v *viewer) tasks(ctx context.Context, f *framework, all []*agent.Task) []seenTask {
	var out []seenTask
	for _, t := range all {
		m, err := t.Message()
		if err != nil {
			v.err = err
			continue
		}
		if v.tasks_.All() || v.tasks_.Allows(ctx, taskObject(v.state, f.object, t)) {
			out = append(out, seenTask{m, t.Resources})
		}
	}
	return out
}

// seenTask is a task that may be seen.
type seenTask struct {
	*mesos.Task
	resources resource.Resources
}

func taskObject(s *agent.State, f *access.Framework, t *agent.Task) *access.Task {
	role := ""
	for r := range t.Resources.All() {
		role = r.Role
		break
	}
	return &access.Task{
		ID: t.ID, Role: role, State: t.State.String(), Agent: s.AgentID, Framework: f,
		Info: func() *mesos.TaskInfo {
			info, err := t.TaskInfo()
			if err != nil {
				return &mesos.TaskInfo{}
			}
			return info
		},
	}
}
