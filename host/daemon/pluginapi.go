package daemon

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// pluginAPI is the endpoints about a daemon's plugins, which Mesos has no counterpart of.
type pluginAPI struct {
	options Options
	host    *pluginhost.Host
	dir     string
	control *access.Control
	audit   *access.Auditor
	// read and write are the realms of authentication.
	read, write string
}

func (p *pluginAPI) routes() []endpoint.Route {
	return []endpoint.Route{
		{Path: "/plugins", Exact: true, Methods: []string{http.MethodGet}, Realm: p.read, Handler: p.list},
		{Path: "/plugins/reload", Exact: true, Methods: []string{http.MethodPost}, Realm: p.write, Handler: p.reload},
	}
}

func (p *pluginAPI) check(r *http.Request, who access.Principal) (revision string, err error) {
	revision, err = p.control.Check(r.Context(), who, authorizer.GetEndpointWithPath, &access.Endpoint{Path: r.URL.Path, Method: r.Method})
	return revision, endpoint.AccessError(err)
}

// list answers with a JSON array of pluginhost.Status.
func (p *pluginAPI) list(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if _, err := p.check(r, who); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(p.host.List())
}

// reload reads the configuration again and replaces the process of the plugin that the query names by kind and
// name. It answers with how the plugin is now: a pluginhost.Status.
func (p *pluginAPI) reload(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	kind, name := r.URL.Query().Get("kind"), r.URL.Query().Get("name")
	revision, err := p.check(r, who)
	var now pluginhost.Status
	if err == nil {
		now, err = p.reloadNamed(r.Context(), kind, name)
	}
	entry := access.Entry{Principal: who, Address: r.RemoteAddr, Action: "RELOAD_PLUGIN", Object: kind + " " + name, Revision: revision}
	if err != nil {
		entry.Denied = err.Error()
	}
	p.audit.Record(r.Context(), entry)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(now)
}

func (p *pluginAPI) reloadNamed(ctx context.Context, kind, name string) (now pluginhost.Status, err error) {
	settings, err := config.Load(p.options.Path)
	if err != nil {
		return now, endpoint.Errorf(http.StatusConflict, "the plugin goes on as it is: %v", err)
	}
	specs, err := pluginSpecs(settings, p.dir, kind)
	if err != nil {
		return now, err
	}
	for _, s := range specs {
		if s.Name == name {
			if err := p.host.Reload(ctx, s); err != nil {
				return now, endpoint.Errorf(http.StatusConflict, "the plugin goes on as it is: %v", err)
			}
			reloaded, err := p.host.Plugin(kind, name)
			if err != nil {
				return now, err
			}
			return reloaded.Status(), nil
		}
	}
	return now, endpoint.Errorf(http.StatusNotFound, "%s has no plugin %q %q", p.options.Path, kind, name)
}
