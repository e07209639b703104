package access

import (
	"slices"
	"strings"
	"unicode/utf8"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Object is something a principal may want to see or act upon. Its fields are those that sdk/authorizer documents
// for its kind; they are made when a policy asks for them, so that filtering many objects stays cheap. An Object
// is for one goroutine.
type Object interface {
	authorizer.FieldSource
	Kind() authorizer.Kind
}

// each calls yield for each named field that has a value.
func each(o authorizer.FieldSource, names []string, yield func(string, authorizer.Value) bool) {
	for _, name := range names {
		if v := o.Field(name); v.Present() && !yield(name, v) {
			return
		}
	}
}

// Framework is a framework as a policy sees it.
type Framework struct {
	ID, Name, User, Principal string
	Roles                     []string
	// Labels returns the labels; nil if there are none. It is called only if a policy looks at them.
	Labels func() *mesos.Labels
}

// Kind is FrameworkKind.
func (*Framework) Kind() authorizer.Kind { return authorizer.FrameworkKind }

// Field is a field's value.
func (f *Framework) Field(name string) authorizer.Value {
	switch name {
	case "id":
		return text(f.ID)
	case "name":
		return text(f.Name)
	case "user":
		return text(f.User)
	case "principal":
		return text(f.Principal)
	case "roles":
		if len(f.Roles) > 0 {
			return authorizer.StringsValue(valid(f.Roles))
		}
	case "labels":
		if f.Labels != nil {
			return labels(f.Labels())
		}
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (f *Framework) Each(yield func(string, authorizer.Value) bool) {
	each(f, []string{"id", "name", "user", "principal", "roles", "labels"}, yield)
}

// Task is a task as a policy sees it.
type Task struct {
	ID, Role, State, Agent string
	// Info returns the task's description. It is called at most once, and only if a policy looks at what is in it.
	Info      func() *mesos.TaskInfo
	Framework *Framework

	decoded *mesos.TaskInfo
}

// Kind is TaskKind.
func (*Task) Kind() authorizer.Kind { return authorizer.TaskKind }

// Field is a field's value.
func (t *Task) Field(name string) authorizer.Value {
	switch name {
	case "id":
		return text(t.ID)
	case "role":
		return text(t.Role)
	case "state":
		return text(t.State)
	case "agent_id":
		return text(t.Agent)
	case "framework":
		return authorizer.FieldsValue(t.Framework)
	case "name":
		return text(t.info().GetName())
	case "user":
		return text(taskUser(t.info(), t.Framework.User))
	case "executor_id":
		return text(t.info().GetExecutor().GetExecutorId().GetValue())
	case "labels":
		return labels(t.info().GetLabels())
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (t *Task) Each(yield func(string, authorizer.Value) bool) {
	each(t, []string{"id", "name", "user", "role", "state", "agent_id", "executor_id", "labels", "framework"}, yield)
}

func (t *Task) info() *mesos.TaskInfo {
	if t.decoded == nil {
		t.decoded = t.Info()
	}
	return t.decoded
}

// taskUser is the OS user that a task runs as.
func taskUser(info *mesos.TaskInfo, fallback string) string {
	for _, user := range []string{info.GetCommand().GetUser(), info.GetExecutor().GetCommand().GetUser()} {
		if user != "" {
			return user
		}
	}
	return fallback
}

// Executor is an executor, or its sandbox, as a policy sees it. A command task's executor has the task's id.
type Executor struct {
	ID, Name, User, Agent string
	// Labels are the executor's labels, nil if it has none.
	Labels    *mesos.Labels
	Framework *Framework
}

// Kind is ExecutorKind.
func (*Executor) Kind() authorizer.Kind { return authorizer.ExecutorKind }

// Field is a field's value.
func (e *Executor) Field(name string) authorizer.Value {
	switch name {
	case "id":
		return text(e.ID)
	case "name":
		return text(e.Name)
	case "user":
		return text(e.User)
	case "agent_id":
		return text(e.Agent)
	case "labels":
		return labels(e.Labels)
	case "framework":
		return authorizer.FieldsValue(e.Framework)
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (e *Executor) Each(yield func(string, authorizer.Value) bool) {
	each(e, []string{"id", "name", "user", "agent_id", "labels", "framework"}, yield)
}

// Role is a role as a policy sees it. All but the name is set when a framework wants to use the role.
type Role struct{ Name, Principal, User, FrameworkName string }

// Kind is RoleKind.
func (*Role) Kind() authorizer.Kind { return authorizer.RoleKind }

// Field is a field's value.
func (r *Role) Field(name string) authorizer.Value {
	switch name {
	case "name":
		return text(r.Name)
	case "principal":
		return text(r.Principal)
	case "user":
		return text(r.User)
	case "framework_name":
		return text(r.FrameworkName)
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (r *Role) Each(yield func(string, authorizer.Value) bool) {
	each(r, []string{"name", "principal", "user", "framework_name"}, yield)
}

// Endpoint is an HTTP endpoint as a policy sees it.
type Endpoint struct{ Path, Method string }

// Kind is EndpointKind.
func (*Endpoint) Kind() authorizer.Kind { return authorizer.EndpointKind }

// Field is a field's value.
func (e *Endpoint) Field(name string) authorizer.Value {
	switch name {
	case "path":
		return text(e.Path)
	case "method":
		return text(e.Method)
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (e *Endpoint) Each(yield func(string, authorizer.Value) bool) {
	each(e, []string{"path", "method"}, yield)
}

// Container is an executor's container as a policy sees it.
type Container struct {
	ID       string
	Executor *Executor
}

// Kind is ContainerKind.
func (*Container) Kind() authorizer.Kind { return authorizer.ContainerKind }

// Field is a field's value.
func (c *Container) Field(name string) authorizer.Value {
	switch name {
	case "id", "root_id":
		return text(c.ID)
	case "executor_user":
		return text(c.Executor.User)
	case "executor":
		return authorizer.FieldsValue(c.Executor)
	case "framework":
		return authorizer.FieldsValue(c.Executor.Framework)
	}
	return authorizer.Value{}
}

// Each yields the fields.
func (c *Container) Each(yield func(string, authorizer.Value) bool) {
	each(c, []string{"id", "root_id", "executor_user", "executor", "framework"}, yield)
}

// Cluster is the master or the agent itself. It has no fields.
type Cluster struct{}

// Kind is ClusterKind.
func (Cluster) Kind() authorizer.Kind { return authorizer.ClusterKind }

// Field finds nothing.
func (Cluster) Field(string) authorizer.Value { return authorizer.Value{} }

// Each yields nothing.
func (Cluster) Each(func(string, authorizer.Value) bool) {}

// text is a string, and no value at all when it is empty. Schedulers' calls are of UTF-8, but what a path has, or an agent
// brings, need not be, and the question to the authorizer is of text alone: each such part becomes U+FFFD, as in JSON.
func text(s string) authorizer.Value {
	return authorizer.OptionalString(strings.ToValidUTF8(s, "\uFFFD"))
}

// valid is the texts as text has them.
func valid(texts []string) []string {
	if !slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) }) {
		return texts
	}
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = strings.ToValidUTF8(s, "\uFFFD")
	}
	return out
}

// labelFields are labels by key; of a key given twice, the last counts.
type labelFields []*mesos.Label

func labels(l *mesos.Labels) authorizer.Value {
	if len(l.GetLabels()) == 0 {
		return authorizer.Value{}
	}
	all := l.GetLabels()
	if slices.ContainsFunc(all, func(x *mesos.Label) bool { return !utf8.ValidString(x.GetKey()) || !utf8.ValidString(x.GetValue()) }) {
		all = make([]*mesos.Label, len(all))
		for i, x := range l.GetLabels() {
			kv := valid([]string{x.GetKey(), x.GetValue()})
			all[i] = &mesos.Label{Key: &kv[0], Value: &kv[1]}
		}
	}
	return authorizer.FieldsValue(labelFields(all))
}

// Field is a label's value, which may be empty.
func (l labelFields) Field(name string) authorizer.Value {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].GetKey() == name {
			return authorizer.StringValue(l[i].GetValue())
		}
	}
	return authorizer.Value{}
}

// Each yields the labels.
func (l labelFields) Each(yield func(string, authorizer.Value) bool) {
	for i, one := range l {
		repeated := false
		for _, later := range l[i+1:] {
			repeated = repeated || later.GetKey() == one.GetKey()
		}
		if !repeated && !yield(one.GetKey(), authorizer.StringValue(one.GetValue())) {
			return
		}
	}
}
