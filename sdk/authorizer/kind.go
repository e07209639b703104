package authorizer

import "slices"

// Kind is what an object is. Each kind has fixed fields; Kinds documents them.
type Kind string

// The kinds of objects.
const (
	RoleKind             Kind = "role"
	TaskKind             Kind = "task"
	FrameworkKind        Kind = "framework"
	ExecutorKind         Kind = "executor"
	ContainerKind        Kind = "container"
	ResourceKind         Kind = "resource"
	AgentKind            Kind = "agent"
	MachineKind          Kind = "machine"
	EndpointKind         Kind = "endpoint"
	ResourceProviderKind Kind = "resource_provider"
	ClusterKind          Kind = "cluster"
)

// FieldType is the type of a documented field.
type FieldType string

// The types that documented fields have.
const (
	FieldString  FieldType = "string"
	FieldNumber  FieldType = "number"
	FieldBool    FieldType = "bool"
	FieldStrings FieldType = "list of string"
	FieldMap     FieldType = "map of string"
	FieldObject  FieldType = "object" // of the kind that FieldInfo.Kind says
)

// FieldInfo documents a field of a kind of object. A field whose value is empty or unknown is absent.
type FieldInfo struct {
	Name string
	Type FieldType
	Kind Kind // for FieldObject
	Doc  string
}

// KindInfo documents a kind of object.
type KindInfo struct {
	Kind   Kind
	Doc    string
	Fields []FieldInfo
}

// Kinds documents every kind of object, in a fixed order.
func Kinds() []KindInfo { return slices.Clone(kinds) }

// KindByName is the kind of that name, and false when there is none.
func KindByName(k Kind) (KindInfo, bool) {
	i := slices.IndexFunc(kinds, func(x KindInfo) bool { return x.Kind == k })
	if i < 0 {
		return KindInfo{}, false
	}
	return kinds[i], true
}

func text(name, doc string) FieldInfo   { return FieldInfo{Name: name, Type: FieldString, Doc: doc} }
func texts(name, doc string) FieldInfo  { return FieldInfo{Name: name, Type: FieldStrings, Doc: doc} }
func labels(name, doc string) FieldInfo { return FieldInfo{Name: name, Type: FieldMap, Doc: doc} }
func object(name string, k Kind, doc string) FieldInfo {
	return FieldInfo{Name: name, Type: FieldObject, Kind: k, Doc: doc}
}

var kinds = []KindInfo{
	{RoleKind, "a role", []FieldInfo{
		text("name", "the role's whole name, such as eng/web"),
		text("principal", "of register_framework: the framework's principal"),
		text("user", "of register_framework: the framework's user"),
		text("framework_name", "of register_framework: the framework's name"),
	}},
	{TaskKind, "a task", []FieldInfo{
		text("id", "the task's id"),
		text("name", "the task's name"),
		text("user", "the OS user it runs as: its command's, else its executor's, else its framework's"),
		text("role", "the role its resources are allocated to"),
		text("state", "its state, such as TASK_RUNNING; absent in run_task"),
		text("agent_id", "the agent it runs on"),
		text("executor_id", "the executor it runs in; absent for a command task"),
		labels("labels", "its labels by key; of a key given twice, the last"),
		object("framework", FrameworkKind, "the framework it belongs to"),
	}},
	{FrameworkKind, "a framework", []FieldInfo{
		text("id", "the framework's id; absent before it has one"),
		text("name", "its name"),
		text("user", "the OS user that its tasks run as unless they say other"),
		text("principal", "the principal it registered with"),
		texts("roles", "the roles it is subscribed to"),
		labels("labels", "its labels by key"),
	}},
	{ExecutorKind, "an executor, or the sandbox it has", []FieldInfo{
		text("id", "the executor's id; a command task's executor has the task's id"),
		text("name", "its name"),
		text("user", "the OS user it runs as"),
		text("agent_id", "the agent it runs on"),
		labels("labels", "its labels by key"),
		object("framework", FrameworkKind, "the framework it belongs to"),
	}},
	{ContainerKind, "a container", []FieldInfo{
		text("id", "the container's id, its own part"),
		text("parent_id", "the id of the container it is nested in"),
		text("root_id", "the id of the outermost container; its own when it is not nested"),
		text("user", "of a launch: the OS user of the command to run"),
		text("executor_user", "the OS user of the executor whose container (or root container) it is"),
		object("executor", ExecutorKind, "that executor; absent for a standalone container"),
		object("framework", FrameworkKind, "the framework it belongs to; absent for a standalone container"),
	}},
	{ResourceKind, "resources of an operation, one entry of a Resources", []FieldInfo{
		text("name", "the resource's name, such as cpus"),
		text("role", "the role it is, or is to be, reserved for; * for none"),
		text("principal", "the principal that reserved it"),
		labels("labels", "the reservation's labels by key"),
		text("volume_id", "the persistent volume's id"),
		text("volume_principal", "the principal that created the volume"),
		text("agent_id", "the agent it is on"),
		object("framework", FrameworkKind, "the framework that asks; absent when an operator does"),
	}},
	{AgentKind, "an agent", []FieldInfo{
		text("id", "the agent's id; absent when it registers for the first time"),
		text("hostname", "its hostname"),
		text("region", "the region of its fault domain"),
		text("zone", "the zone of its fault domain"),
		labels("attributes", "its attributes by name, as text; of a name given twice, the first"),
	}},
	{MachineKind, "a machine of a maintenance schedule", []FieldInfo{
		text("hostname", "its hostname"),
		text("ip", "its address"),
	}},
	{EndpointKind, "an HTTP endpoint", []FieldInfo{
		text("path", "the endpoint's path, such as /metrics/snapshot"),
		text("method", "the request's method"),
	}},
	{ResourceProviderKind, "a resource provider", []FieldInfo{
		text("id", "its id"),
		text("type", "its type"),
		text("name", "its name"),
	}},
	{ClusterKind, "the master or agent itself; it has no fields", nil},
}
