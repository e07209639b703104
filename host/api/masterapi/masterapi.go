// Package masterapi is the endpoints of a master that are older than the v1 API: /state, /frameworks, /slaves,
// /tasks and their kin, read by web interfaces, DNS services and scripts, and /teardown.
//
// It imports host/master for the published state.
package masterapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/about"
	"github.com/mezzo-cluster/mezzo/host/api/answer"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// Realms of authentication, as Mesos names them.
const (
	RealmRead  = "mesos-master-readonly"
	RealmWrite = "mesos-master-readwrite"
)

// Master is what the endpoints need of the leading master. It is safe for concurrent use.
type Master interface {
	// State returns the state published last, nil while this master does not lead.
	State() *master.State
	// Enqueue hands an event to the state machine. An error means that the machine will not see it.
	Enqueue(ctx context.Context, event master.Event) error
}

// Config is what the endpoints need.
type Config struct {
	Master     Master
	Leadership endpoint.Leadership
	Control    *access.Control
	Audit      *access.Auditor
	Replies    *answer.Desk
	// About is the daemon.
	About *about.Daemon
	// Cluster is the cluster's name, which may be empty.
	Cluster string
}

// Endpoints serves them. It is safe for concurrent use.
type Endpoints struct{ Config }

// New returns Endpoints.
func New(c Config) *Endpoints { return &Endpoints{Config: c} }

// Routes are the endpoints.
func (e *Endpoints) Routes() []endpoint.Route {
	routes := []endpoint.Route{
		{Path: "/redirect", Exact: true, Handler: endpoint.Redirect(e.Leadership)},
		{
			Path: "/teardown", Methods: []string{http.MethodPost}, Realm: RealmWrite,
			Handler: endpoint.LeaderOnly(e.Leadership, e.teardown),
		},
	}
	reads := map[string]func(context.Context, *document.Writer, *view.Viewer, url.Values){
		"/state-summary": e.writeSummary, "/frameworks": e.writeFrameworks, "/slaves": e.writeSlaves,
		"/tasks": e.writeTasks, "/roles": e.writeRoles,
	}
	for path, write := range reads {
		routes = append(routes, endpoint.Route{Path: path, Realm: RealmRead, Handler: e.leading(e.read(write))})
	}
	routes = append(routes, endpoint.Route{Path: "/state", Realm: RealmRead, Handler: e.leading(e.state)})
	return append(routes, unserved()...)
}

// unserved are endpoints of Mesos's master that this release does not have.
func unserved() []endpoint.Route {
	var routes []endpoint.Route
	for _, path := range []string{
		"/reserve", "/unreserve", "/create-volumes", "/destroy-volumes", "/machine/up", "/machine/down", "/logging/toggle",
	} {
		routes = append(routes, endpoint.Unserved(path, RealmWrite, http.MethodPost))
	}
	for _, path := range []string{
		"/quota", "/weights", "/maintenance/schedule", "/maintenance/status", "/registrar(1)/registry",
		"/files/browse", "/files/read", "/files/download", "/files/debug", "/profiler/start", "/profiler/stop", "/memory-profiler",
	} {
		routes = append(routes, endpoint.Unserved(path, RealmWrite))
	}
	return routes
}

func (e *Endpoints) leading(h endpoint.Handler) endpoint.Handler {
	return endpoint.LeaderOnly(e.Leadership, h)
}

// viewer returns the present state as the caller may see it.
func (e *Endpoints) viewer(r *http.Request, who access.Principal) (*view.Viewer, error) {
	state := e.Master.State()
	if state == nil {
		return nil, endpoint.Unavailable(access.RetryAfter, "This master does not lead any more")
	}
	v, err := view.New(r.Context(), e.Control, who, state)
	return v, endpoint.AccessError(err)
}

// read answers with a document about the state. Parameters come in the query, or in the body of a POST.
func (e *Endpoints) read(write func(context.Context, *document.Writer, *view.Viewer, url.Values)) endpoint.Handler {
	return func(w http.ResponseWriter, r *http.Request, who access.Principal) error {
		v, err := e.viewer(r, who)
		if err != nil {
			return err
		}
		return endpoint.DocumentOrAbort(w, r, func(doc *document.Writer) error {
			write(r.Context(), doc, v, r.URL.Query())
			return v.Err()
		})
	}
}

func (e *Endpoints) teardown(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	body, err := endpoint.ReadBody(r)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("frameworkId") == "" {
		return endpoint.BadRequest("Missing 'frameworkId' query parameter in the request body")
	}
	if err := Teardown(r, who, e.Config, form.Get("frameworkId")); err != nil {
		return err
	}
	endpoint.Empty(w, http.StatusOK)
	return nil
}
