package scheduler

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// defaultRole is the role of a framework that names none.
const defaultRole = "*"

// mayRegister asks whether a framework may use the roles that it subscribes to. denied is why not; the error is
// about not getting an answer.
func (e *Endpoint) mayRegister(ctx context.Context, who access.Principal, info *mesos.FrameworkInfo) (denied, revision string, err error) {
	roles := rolesOf(info)
	objects := make([]access.Object, len(roles))
	for i, role := range roles {
		objects[i] = &access.Role{
			Name: role, Principal: info.GetPrincipal(), User: info.GetUser(), FrameworkName: info.GetName(),
		}
	}
	v, err := e.Control.Decide(ctx, who, authorizer.RegisterFramework, objects...)
	if err != nil {
		return "", "", err
	}
	if i, reason := v.Denied(); i >= 0 {
		return withReason(fmt.Sprintf("Not authorized to use role '%s'", roles[i]), reason), v.Revision, nil
	}
	return "", v.Revision, nil
}

// rolesOf returns the roles a framework subscribes to, as far as they make sense.
func rolesOf(info *mesos.FrameworkInfo) []string {
	for _, c := range info.GetCapabilities() {
		if c.GetType() == mesos.FrameworkInfo_Capability_MULTI_ROLE {
			return info.GetRoles()
		}
	}
	if role := info.GetRole(); role != "" {
		return []string{role}
	}
	return []string{defaultRole}
}

// mayCall asks whether a framework may do what a call asks for. Only the launching of tasks, and new roles, need
// asking; all else concerns what the framework has already.
func (e *Endpoint) mayCall(ctx context.Context, who access.Principal, state *master.State, f *master.Framework,
	call *scheduler.Call) (denied []master.Denial, revision string, err error) {
	switch call.GetType() {
	case scheduler.Call_ACCEPT:
		return e.mayAccept(ctx, who, state, f, call.GetAccept())
	case scheduler.Call_UPDATE_FRAMEWORK:
		text, revision, err := e.mayRegister(ctx, who, call.GetUpdateFramework().GetFrameworkInfo())
		if text != "" {
			denied = []master.Denial{{Operation: master.WholeCall, Task: master.WholeCall, Reason: text}}
		}
		return denied, revision, err
	}
	return nil, "", nil
}

// mayAccept asks about each task of an ACCEPT.
func (e *Endpoint) mayAccept(ctx context.Context, who access.Principal, state *master.State, f *master.Framework,
	accept *scheduler.Call_Accept) (denied []master.Denial, revision string, err error) {
	var objects []access.Object
	var places []master.Denial
	if e.Control.Enabled() {
		objects, places = launches(state, f, accept)
	}
	if len(objects) == 0 {
		return nil, "", nil
	}
	v, err := e.Control.Decide(ctx, who, authorizer.RunTask, objects...)
	if err != nil {
		return nil, "", err
	}
	for i, d := range v.Decisions {
		if !d.Allowed {
			place := places[i]
			place.Reason = withReason(place.Reason, d.Reason)
			denied = append(denied, place)
		}
	}
	return denied, v.Revision, nil
}

// launches returns an object for each task that an ACCEPT launches, and for each of them where in the call it is.
func launches(state *master.State, f *master.Framework, accept *scheduler.Call_Accept) (objects []access.Object, places []master.Denial) {
	framework := FrameworkObject(f)
	role := roleOf(state, f, accept)
	for op, operation := range accept.GetOperations() {
		tasks := operation.GetLaunch().GetTaskInfos()
		executor := (*mesos.ExecutorInfo)(nil)
		if operation.GetType() == mesos.Offer_Operation_LAUNCH_GROUP {
			tasks = operation.GetLaunchGroup().GetTaskGroup().GetTasks()
			executor = operation.GetLaunchGroup().GetExecutor()
		}
		for i, info := range tasks {
			objects = append(objects, taskObject(info, executor, role, framework))
			places = append(places, master.Denial{Operation: op, Task: i, Reason: fmt.Sprintf(
				"Not authorized to launch task '%s' as user '%s'", info.GetTaskId().GetValue(), userOf(info, executor, f))})
		}
	}
	return objects, places
}

func taskObject(info *mesos.TaskInfo, group *mesos.ExecutorInfo, role string, f *access.Framework) *access.Task {
	if group != nil && info.GetExecutor() == nil {
		info = &mesos.TaskInfo{
			Name: info.Name, TaskId: info.TaskId, AgentId: info.AgentId, Command: info.Command,
			Labels: info.Labels, Executor: group, //nolint:protogetter // passed on as it is, unset or not
		}
	}
	return &access.Task{
		ID: info.GetTaskId().GetValue(), Role: role, Agent: info.GetAgentId().GetValue(), Framework: f,
		Info: func() *mesos.TaskInfo { return info },
	}
}

// roleOf returns the role that an ACCEPT's offers are allocated to.
func roleOf(state *master.State, f *master.Framework, accept *scheduler.Call_Accept) string {
	for _, id := range accept.GetOfferIds() {
		if offer := state.Offer(id.GetValue()); offer != nil {
			return offer.Role
		}
	}
	if len(f.Roles) == 1 {
		return f.Roles[0]
	}
	return ""
}

func userOf(info *mesos.TaskInfo, executor *mesos.ExecutorInfo, f *master.Framework) string {
	for _, user := range []string{
		info.GetCommand().GetUser(), info.GetExecutor().GetCommand().GetUser(), executor.GetCommand().GetUser(),
	} {
		if user != "" {
			return user
		}
	}
	return f.User
}

// FrameworkObject is a framework as a policy sees it.
func FrameworkObject(f *master.Framework) *access.Framework {
	return &access.Framework{
		ID: f.ID, Name: f.Name, User: f.User, Principal: f.Principal, Roles: f.Roles,
		Labels: func() *mesos.Labels { return f.Info().GetLabels() },
	}
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// auditCall leaves a record of a call that changes something in the cluster. Calls that only answer the master, or
// ask it, leave none.
func (e *Endpoint) auditCall(r *http.Request, who access.Principal, f *master.Framework, call *scheduler.Call,
	denied []master.Denial, revision string) {
	object := "framework " + f.ID
	switch call.GetType() {
	case scheduler.Call_ACCEPT:
		tasks := taskIDs(call.GetAccept())
		if len(call.GetAccept().GetOperations()) == 0 {
			return
		}
		object += " tasks " + strings.Join(tasks, ",")
	case scheduler.Call_KILL:
		object += " task " + call.GetKill().GetTaskId().GetValue()
	case scheduler.Call_SHUTDOWN:
		object += " executor " + call.GetShutdown().GetExecutorId().GetValue()
	case scheduler.Call_TEARDOWN, scheduler.Call_UPDATE_FRAMEWORK, scheduler.Call_REVIVE, scheduler.Call_SUPPRESS:
	default:
		return
	}
	reasons := make([]string, len(denied))
	for i, d := range denied {
		reasons[i] = d.Reason
	}
	e.Audit.Record(r.Context(), access.Entry{
		Principal: who, Address: r.RemoteAddr, Action: call.GetType().String(), Object: object,
		Denied: strings.Join(reasons, "; "), Revision: revision,
	})
}

func taskIDs(accept *scheduler.Call_Accept) []string {
	var ids []string
	for _, op := range accept.GetOperations() {
		for _, t := range op.GetLaunch().GetTaskInfos() {
			ids = append(ids, t.GetTaskId().GetValue())
		}
		for _, t := range op.GetLaunchGroup().GetTaskGroup().GetTasks() {
			ids = append(ids, t.GetTaskId().GetValue())
		}
	}
	return ids
}
