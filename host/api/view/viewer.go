// Package view is the part of a master's state that one caller may see, and its form in the wire types of the
// operator API.
//
// It imports host/master for the state and host/access for what may be seen.
package view

import (
	"context"
	"iter"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// Viewer is a state as one caller sees it. It is for one request, on one goroutine.
type Viewer struct {
	// State is the whole state.
	State *master.State

	frameworks, tasks, roles *access.View
	// objects are the frameworks that may be seen, by id; nil if all may.
	objects map[string]*access.Framework
	roleOK  map[string]bool
}

// New asks what a caller may see of a state.
func New(ctx context.Context, control *access.Control, who access.Principal, state *master.State) (*Viewer, error) {
	v := &Viewer{State: state, roleOK: map[string]bool{}}
	for _, ask := range []struct {
		view   **access.View
		action authorizer.Action
	}{{&v.frameworks, authorizer.ViewFramework}, {&v.tasks, authorizer.ViewTask}, {&v.roles, authorizer.ViewRole}} {
		var err error
		if *ask.view, err = control.View(ctx, who, ask.action); err != nil {
			return nil, err
		}
	}
	if !v.frameworks.All() || !v.tasks.All() {
		v.objects = map[string]*access.Framework{}
		for _, all := range []iter.Seq[*master.Framework]{state.Frameworks(), state.CompletedFrameworks()} {
			for f := range access.Select(ctx, v.frameworks, all, frameworkObject) {
				v.objects[f.ID] = FrameworkObject(f)
			}
		}
	}
	return v, v.Err()
}

// Err is what went wrong while objects were selected, an *access.UnavailableError; nil if nothing did. What has
// been yielded then is not all.
func (v *Viewer) Err() error {
	for _, view := range []*access.View{v.frameworks, v.tasks, v.roles} {
		if err := view.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Framework tells whether a framework, completed or not, may be seen.
func (v *Viewer) Framework(id string) bool { return v.objects == nil || v.objects[id] != nil }

// Frameworks yields those of the frameworks that may be seen.
func (v *Viewer) Frameworks(all iter.Seq[*master.Framework]) iter.Seq[*master.Framework] {
	if v.objects == nil {
		return all
	}
	return func(yield func(*master.Framework) bool) {
		for f := range all {
			if v.objects[f.ID] != nil && !yield(f) {
				return
			}
		}
	}
}

// Tasks yields those of the tasks that may be seen; tasks of a framework that is hidden are hidden too.
func (v *Viewer) Tasks(ctx context.Context, all iter.Seq[*master.Task]) iter.Seq[*master.Task] {
	if v.objects == nil {
		return all
	}
	ofSeen := func(yield func(*master.Task) bool) {
		for t := range all {
			if v.objects[t.Framework] != nil && !yield(t) {
				return
			}
		}
	}
	return access.Select(ctx, v.tasks, ofSeen, func(t *master.Task) access.Object {
		return taskObject(t, v.objects[t.Framework])
	})
}

// Role tells whether a role may be seen.
func (v *Viewer) Role(ctx context.Context, name string) bool {
	if v.roles.All() {
		return true
	}
	ok, known := v.roleOK[name]
	if !known {
		ok = v.roles.Allows(ctx, &access.Role{Name: name})
		v.roleOK[name] = ok
	}
	return ok
}

// Resources returns those of the resources that are neither reserved for nor allocated to a hidden role.
func (v *Viewer) Resources(ctx context.Context, all resource.Resources) resource.Resources {
	if v.roles.All() {
		return all
	}
	return all.Filter(func(r resource.Resource) bool {
		for _, reservation := range r.Reservations {
			if !v.Role(ctx, reservation.Role) {
				return false
			}
		}
		return r.Role == "" || v.Role(ctx, r.Role)
	})
}

// FrameworkObject is a framework as a policy sees it.
func FrameworkObject(f *master.Framework) *access.Framework {
	return &access.Framework{
		ID: f.ID, Name: f.Name, User: f.User, Principal: f.Principal, Roles: f.Roles,
		Labels: func() *mesos.Labels { return f.Info().GetLabels() },
	}
}

func frameworkObject(f *master.Framework) access.Object { return FrameworkObject(f) }

func taskObject(t *master.Task, f *access.Framework) *access.Task {
	return &access.Task{
		ID: t.ID, Role: TaskRole(t), State: t.State.String(), Agent: t.Agent, Framework: f, Info: t.Info,
	}
}

// TaskRole is the role that a task's resources are allocated to.
func TaskRole(t *master.Task) string {
	for r := range t.Resources.All() {
		return r.Role
	}
	return ""
}
