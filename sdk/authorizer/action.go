package authorizer

import "slices"

// Action is what a subject wants to do, by the name Mesos has for it.
type Action string

// The actions.
const (
	RegisterFramework            Action = "register_framework"
	RunTask                      Action = "run_task"
	TeardownFramework            Action = "teardown_framework"
	ReserveResources             Action = "reserve_resources"
	UnreserveResources           Action = "unreserve_resources"
	CreateVolume                 Action = "create_volume"
	DestroyVolume                Action = "destroy_volume"
	ResizeVolume                 Action = "resize_volume"
	CreateBlockDisk              Action = "create_block_disk"
	DestroyBlockDisk             Action = "destroy_block_disk"
	CreateMountDisk              Action = "create_mount_disk"
	DestroyMountDisk             Action = "destroy_mount_disk"
	DestroyRawDisk               Action = "destroy_raw_disk"
	GetEndpointWithPath          Action = "get_endpoint_with_path"
	ViewRole                     Action = "view_role"
	UpdateWeight                 Action = "update_weight"
	GetQuota                     Action = "get_quota"
	UpdateQuota                  Action = "update_quota"
	UpdateQuotaWithConfig        Action = "update_quota_with_config"
	ViewFramework                Action = "view_framework"
	ViewTask                     Action = "view_task"
	ViewExecutor                 Action = "view_executor"
	AccessSandbox                Action = "access_sandbox"
	AccessMesosLog               Action = "access_mesos_log"
	ViewFlags                    Action = "view_flags"
	SetLogLevel                  Action = "set_log_level"
	RegisterAgent                Action = "register_agent"
	LaunchNestedContainer        Action = "launch_nested_container"
	LaunchNestedContainerSession Action = "launch_nested_container_session"
	KillNestedContainer          Action = "kill_nested_container"
	WaitNestedContainer          Action = "wait_nested_container"
	RemoveNestedContainer        Action = "remove_nested_container"
	AttachContainerInput         Action = "attach_container_input"
	AttachContainerOutput        Action = "attach_container_output"
	ViewContainer                Action = "view_container"
	LaunchStandaloneContainer    Action = "launch_standalone_container"
	KillStandaloneContainer      Action = "kill_standalone_container"
	WaitStandaloneContainer      Action = "wait_standalone_container"
	RemoveStandaloneContainer    Action = "remove_standalone_container"
	ViewStandaloneContainer      Action = "view_standalone_container"
	ModifyResourceProviderConfig Action = "modify_resource_provider_config"
	MarkResourceProviderGone     Action = "mark_resource_provider_gone"
	ViewResourceProvider         Action = "view_resource_provider"
	PruneImages                  Action = "prune_images"
	UpdateMaintenanceSchedule    Action = "update_maintenance_schedule"
	GetMaintenanceSchedule       Action = "get_maintenance_schedule"
	StartMaintenance             Action = "start_maintenance"
	StopMaintenance              Action = "stop_maintenance"
	GetMaintenanceStatus         Action = "get_maintenance_status"
	DrainAgent                   Action = "drain_agent"
	DeactivateAgent              Action = "deactivate_agent"
	ReactivateAgent              Action = "reactivate_agent"
	MarkAgentGone                Action = "mark_agent_gone"
)

// ActionInfo says what an action is about.
type ActionInfo struct {
	Action Action
	// Object is the kind of object that a question about it has; see Kind for its fields.
	Object Kind
	// Doc is what needs it, in a line.
	Doc string
}

// Actions is every action, in a fixed order.
func Actions() []ActionInfo { return slices.Clone(actions) }

// ActionByName is the action of that name, and false when there is none.
func ActionByName(name string) (ActionInfo, bool) {
	i := slices.IndexFunc(actions, func(a ActionInfo) bool { return string(a.Action) == name })
	if i < 0 {
		return ActionInfo{}, false
	}
	return actions[i], true
}

var actions = []ActionInfo{
	{RegisterFramework, RoleKind, "subscribe a framework to a role: SUBSCRIBE, UPDATE_FRAMEWORK; one object for each role"},
	{RunTask, TaskKind, "launch a task: ACCEPT with LAUNCH or LAUNCH_GROUP, at the master and again at the agent"},
	{TeardownFramework, FrameworkKind, "remove a framework with its tasks: TEARDOWN, /teardown"},
	{ReserveResources, ResourceKind, "reserve resources: RESERVE, RESERVE_RESOURCES, /reserve, an agent that registers with static reservations"},
	{UnreserveResources, ResourceKind, "undo a reservation: UNRESERVE, UNRESERVE_RESOURCES, /unreserve"},
	{CreateVolume, ResourceKind, "create a persistent volume: CREATE, CREATE_VOLUMES, /create-volumes"},
	{DestroyVolume, ResourceKind, "destroy a persistent volume: DESTROY, DESTROY_VOLUMES, /destroy-volumes"},
	{ResizeVolume, ResourceKind, "change a persistent volume's size: GROW_VOLUME, SHRINK_VOLUME"},
	{CreateBlockDisk, ResourceKind, "make a BLOCK disk of RAW storage: CREATE_DISK"},
	{DestroyBlockDisk, ResourceKind, "destroy a BLOCK disk: DESTROY_DISK"},
	{CreateMountDisk, ResourceKind, "make a MOUNT disk of RAW storage: CREATE_DISK"},
	{DestroyMountDisk, ResourceKind, "destroy a MOUNT disk: DESTROY_DISK"},
	{DestroyRawDisk, ResourceKind, "destroy a RAW disk: DESTROY_DISK"},
	{GetEndpointWithPath, EndpointKind, "read an endpoint that has no action of its own: /files/debug, /logging/toggle, /metrics/snapshot, /monitor/statistics, the agent's /containers and /containerizer/debug, and the calls that match them"},
	{ViewRole, RoleKind, "see a role: /roles, /weights, GET_ROLES, GET_WEIGHTS, resources reserved or allocated to it"},
	{UpdateWeight, RoleKind, "set a role's weight: UPDATE_WEIGHTS, /weights"},
	{GetQuota, RoleKind, "see a role's quota: GET_QUOTA, /quota"},
	{UpdateQuota, RoleKind, "set or remove a role's quota in the old form: SET_QUOTA, REMOVE_QUOTA, /quota"},
	{UpdateQuotaWithConfig, RoleKind, "set a role's quota: UPDATE_QUOTA"},
	{ViewFramework, FrameworkKind, "see a framework: /state, /frameworks, GET_FRAMEWORKS, events"},
	{ViewTask, TaskKind, "see a task: /state, /tasks, GET_TASKS, events; what belongs to a framework that is not seen is not seen either"},
	{ViewExecutor, ExecutorKind, "see an executor: /state, GET_EXECUTORS, events"},
	{AccessSandbox, ExecutorKind, "read the files of a sandbox: /files, LIST_FILES, READ_FILE"},
	{AccessMesosLog, ClusterKind, "read the log of a master or an agent: /files on /master/log and /slave/log"},
	{ViewFlags, ClusterKind, "see the settings: /flags, GET_FLAGS, the flags in /state"},
	{SetLogLevel, ClusterKind, "change the log level: SET_LOGGING_LEVEL"},
	{RegisterAgent, AgentKind, "register or re-register an agent"},
	{LaunchNestedContainer, ContainerKind, "launch a container within another: LAUNCH_NESTED_CONTAINER, LAUNCH_CONTAINER"},
	{LaunchNestedContainerSession, ContainerKind, "launch a container within another for as long as the connection: LAUNCH_NESTED_CONTAINER_SESSION"},
	{KillNestedContainer, ContainerKind, "KILL_NESTED_CONTAINER, KILL_CONTAINER"},
	{WaitNestedContainer, ContainerKind, "WAIT_NESTED_CONTAINER, WAIT_CONTAINER"},
	{RemoveNestedContainer, ContainerKind, "REMOVE_NESTED_CONTAINER, REMOVE_CONTAINER"},
	{AttachContainerInput, ContainerKind, "ATTACH_CONTAINER_INPUT"},
	{AttachContainerOutput, ContainerKind, "ATTACH_CONTAINER_OUTPUT"},
	{ViewContainer, ContainerKind, "see a container: GET_CONTAINERS, /containers"},
	{LaunchStandaloneContainer, ContainerKind, "LAUNCH_CONTAINER without a parent"},
	{KillStandaloneContainer, ContainerKind, "KILL_CONTAINER of a standalone container"},
	{WaitStandaloneContainer, ContainerKind, "WAIT_CONTAINER of a standalone container"},
	{RemoveStandaloneContainer, ContainerKind, "REMOVE_CONTAINER of a standalone container"},
	{ViewStandaloneContainer, ContainerKind, "see a standalone container: GET_CONTAINERS"},
	{ModifyResourceProviderConfig, ResourceProviderKind, "ADD_, UPDATE_ and REMOVE_RESOURCE_PROVIDER_CONFIG"},
	{MarkResourceProviderGone, ResourceProviderKind, "MARK_RESOURCE_PROVIDER_GONE"},
	{ViewResourceProvider, ResourceProviderKind, "see a resource provider: GET_RESOURCE_PROVIDERS"},
	{PruneImages, ClusterKind, "PRUNE_IMAGES"},
	{UpdateMaintenanceSchedule, MachineKind, "UPDATE_MAINTENANCE_SCHEDULE, /maintenance/schedule"},
	{GetMaintenanceSchedule, MachineKind, "see a machine in GET_MAINTENANCE_SCHEDULE, /maintenance/schedule"},
	{StartMaintenance, MachineKind, "START_MAINTENANCE, /machine/down"},
	{StopMaintenance, MachineKind, "STOP_MAINTENANCE, /machine/up"},
	{GetMaintenanceStatus, MachineKind, "see a machine in GET_MAINTENANCE_STATUS, /maintenance/status"},
	{DrainAgent, AgentKind, "DRAIN_AGENT (with mark_gone: mark_agent_gone too)"},
	{DeactivateAgent, AgentKind, "DEACTIVATE_AGENT"},
	{ReactivateAgent, AgentKind, "REACTIVATE_AGENT"},
	{MarkAgentGone, AgentKind, "MARK_AGENT_GONE"},
}
