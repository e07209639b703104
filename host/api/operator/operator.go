// Package operator is the operator API of a master: POST /api/v1.
//
// It imports host/master for the published state. A call that this release does not serve is answered 501, with
// a text that says so.
package operator

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/masterapi"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
)

// Path is where the operator API is served.
const Path = "/api/v1"

// Endpoint serves the operator API. It is safe for concurrent use.
type Endpoint struct{ masterapi.Config }

// New returns an Endpoint, which needs what the legacy endpoints need.
func New(c masterapi.Config) *Endpoint { return &Endpoint{Config: c} }

// Handle answers one call. It is for the leading master only.
func (e *Endpoint) Handle(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	call := &master.Call{}
	if err := endpoint.ReadCall(r, call); err != nil {
		return err
	}
	if err := validate(call); err != nil {
		return err
	}
	media, err := endpoint.AcceptMedia(r)
	if err != nil {
		return err
	}
	return e.dispatch(w, r, who, call, media)
}

func (e *Endpoint) dispatch(w http.ResponseWriter, r *http.Request, who access.Principal, call *master.Call,
	media endpoint.Media) error {
	switch call.GetType() {
	case master.Call_GET_STATE, master.Call_GET_TASKS, master.Call_GET_FRAMEWORKS, master.Call_GET_AGENTS,
		master.Call_GET_EXECUTORS:
		return e.large(w, r, who, call.GetType(), media)
	case master.Call_TEARDOWN:
		id := call.GetTeardown().GetFrameworkId().GetValue()
		if err := masterapi.Teardown(r, who, e.Config, id); err != nil {
			return err
		}
		endpoint.Empty(w, http.StatusOK)
		return nil
	}
	answer, err := e.small(r, who, call)
	if err != nil {
		return err
	}
	return endpoint.Message(w, r, media, answer)
}

// validate checks a call's shape, in Mesos's words.
func validate(call *master.Call) error {
	missing := ""
	switch {
	case call.Type == nil:
		missing = "type"
	case call.GetType() == master.Call_GET_METRICS && call.GetGetMetrics() == nil:
		missing = "get_metrics"
	case call.GetType() == master.Call_TEARDOWN && call.GetTeardown() == nil:
		missing = "teardown"
	}
	if missing != "" {
		return endpoint.BadRequest("Failed to validate master::Call: Expecting '%s' to be present", missing)
	}
	return nil
}

// small answers the calls whose answer is small.
func (e *Endpoint) small(r *http.Request, who access.Principal, call *master.Call) (*master.Response, error) {
	switch call.GetType() {
	case master.Call_GET_HEALTH:
		return &master.Response{
			Type:      master.Response_GET_HEALTH.Enum(),
			GetHealth: &master.Response_GetHealth{Healthy: proto.Bool(e.About.Healthy())},
		}, nil
	case master.Call_GET_VERSION:
		return &master.Response{
			Type:       master.Response_GET_VERSION.Enum(),
			GetVersion: &master.Response_GetVersion{VersionInfo: e.About.Build()},
		}, nil
	case master.Call_GET_METRICS:
		return e.metrics(r, who)
	case master.Call_GET_FLAGS:
		return e.flags(r, who)
	case master.Call_GET_MASTER:
		return e.master()
	case master.Call_GET_ROLES:
		return e.roles(r, who)
	}
	return nil, endpoint.Errorf(http.StatusNotImplemented, "This release does not implement %s", call.GetType())
}

func (e *Endpoint) metrics(r *http.Request, who access.Principal) (*master.Response, error) {
	object := &access.Endpoint{Path: "/metrics/snapshot", Method: r.Method}
	if _, err := e.Control.Check(r.Context(), who, authorizer.GetEndpointWithPath, object); err != nil {
		return nil, endpoint.AccessError(err)
	}
	return &master.Response{
		Type:       master.Response_GET_METRICS.Enum(),
		GetMetrics: &master.Response_GetMetrics{Metrics: e.About.MetricMessages()},
	}, nil
}

func (e *Endpoint) flags(r *http.Request, who access.Principal) (*master.Response, error) {
	if _, err := e.Control.Check(r.Context(), who, authorizer.ViewFlags, access.Cluster{}); err != nil {
		return nil, endpoint.AccessError(err)
	}
	return &master.Response{
		Type:     master.Response_GET_FLAGS.Enum(),
		GetFlags: &master.Response_GetFlags{Flags: e.About.FlagMessages()},
	}, nil
}

func (e *Endpoint) master() (*master.Response, error) {
	state := e.Master.State()
	if state == nil {
		return nil, endpoint.Unavailable(access.RetryAfter, "This master does not lead any more")
	}
	leader := state.Leader()
	return &master.Response{
		Type: master.Response_GET_MASTER.Enum(),
		GetMaster: &master.Response_GetMaster{
			MasterInfo:  leader.Info,
			StartTime:   proto.Float64(view.Seconds(leader.Started)),
			ElectedTime: proto.Float64(view.Seconds(leader.Elected)),
		},
	}, nil
}

func (e *Endpoint) roles(r *http.Request, who access.Principal) (*master.Response, error) {
	v, err := e.viewer(r, who)
	if err != nil {
		return nil, err
	}
	answer := &master.Response_GetRoles{}
	for _, role := range v.Roles(r.Context()) {
		answer.Roles = append(answer.Roles, role.Message())
	}
	return &master.Response{Type: master.Response_GET_ROLES.Enum(), GetRoles: answer}, endpoint.AccessError(v.Err())
}

// viewer returns the present state as the caller may see it.
func (e *Endpoint) viewer(r *http.Request, who access.Principal) (*view.Viewer, error) {
	state := e.Master.State()
	if state == nil {
		return nil, endpoint.Unavailable(access.RetryAfter, "This master does not lead any more")
	}
	v, err := view.New(r.Context(), e.Control, who, state)
	return v, endpoint.AccessError(err)
}
