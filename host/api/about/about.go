// Package about is what every daemon, master or agent, tells of itself: its health, version, settings, metrics and
// machine, and which endpoints it has.
//
// It imports host/access, host/version and the packages beside it; neither host/master nor host/agent.
package about

import (
	"context"
	"html/template"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/version"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// Daemon tells of a daemon. All fields must be set; its methods are safe for concurrent use.
type Daemon struct {
	// Name is "master" or "agent".
	Name string
	// Realm authenticates the endpoints that ask who reads.
	Realm string
	// Control says who may read the settings and the metrics.
	Control *access.Control
	// Problems returns why the daemon is not healthy; nothing means that it is.
	Problems func() []string
	// Flags are the settings, by name, without secrets.
	Flags map[string]string
	// Metrics are those with Mesos's names.
	Metrics *metrics.Snapshot
	// Prometheus shows all metrics in Prometheus's form.
	Prometheus http.Handler
	// LogDir is where the log is kept, empty if it goes to the standard error.
	LogDir string
	// Started is when the daemon began.
	Started time.Time
}

// Routes are the endpoints that every daemon has.
func (d *Daemon) Routes() []endpoint.Route {
	return []endpoint.Route{
		{Path: "/health", Handler: d.health},
		{Path: "/version", Handler: d.version},
		{Path: "/flags", Realm: d.Realm, Methods: []string{http.MethodGet, http.MethodHead}, Handler: d.flags},
		{Path: "/metrics/snapshot", Realm: d.Realm, Handler: d.snapshot},
		{Path: "/metrics", Realm: d.Realm, Exact: true, Handler: d.prometheus},
		{Path: "/system/stats.json", Realm: d.Realm, Handler: d.system},
	}
}

// health answers 200 with nothing, as in Mesos, or 503 with one reason a line.
func (d *Daemon) health(w http.ResponseWriter, _ *http.Request, _ access.Principal) error {
	if problems := d.Problems(); len(problems) > 0 {
		return endpoint.Errorf(http.StatusServiceUnavailable, "%s\n", strings.Join(problems, "\n"))
	}
	endpoint.Empty(w, http.StatusOK)
	return nil
}

// Healthy tells whether there are no problems.
func (d *Daemon) Healthy() bool { return len(d.Problems()) == 0 }

func (d *Daemon) version(w http.ResponseWriter, r *http.Request, _ access.Principal) error {
	return endpoint.Document(w, r, func(doc *document.Writer) {
		b := build()
		doc.Begin("")
		doc.Str("build_date", b.GetBuildDate())
		doc.Num("build_time", b.GetBuildTime())
		doc.Str("build_user", b.GetBuildUser())
		doc.Str("git_sha", b.GetGitSha())
		doc.Str("mezzo_version", version.Mezzo())
		doc.Str("version", b.GetVersion())
		doc.End()
	})
}

// WriteBuild writes the members with which the state documents begin.
func WriteBuild(doc *document.Writer) {
	b := build()
	doc.Str("version", b.GetVersion())
	doc.Str("mezzo_version", version.Mezzo())
	doc.Str("git_sha", b.GetGitSha())
	doc.Str("build_date", b.GetBuildDate())
	doc.Num("build_time", b.GetBuildTime())
	doc.Str("build_user", b.GetBuildUser())
}

// Build is the version as a message. Its version is that of the Mesos whose API is spoken, since clients switch
// features on by it.
func (d *Daemon) Build() *mesos.VersionInfo { return build() }

func build() *mesos.VersionInfo {
	number, revision, user := version.Mesos, version.Revision(), ""
	var date string
	var seconds float64
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				date, seconds = t.UTC().Format(time.DateTime), float64(t.Unix())
			}
		}
	}
	return &mesos.VersionInfo{
		Version: &number, BuildDate: &date, BuildTime: &seconds, BuildUser: &user, GitSha: &revision,
	}
}

func (d *Daemon) flags(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if _, err := d.Control.Check(r.Context(), who, authorizer.ViewFlags, access.Cluster{}); err != nil {
		return endpoint.AccessError(err)
	}
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.Begin("")
		d.WriteFlags(doc)
		doc.End()
	})
}

// FlagsVisible tells whether a caller may see the settings.
func (d *Daemon) FlagsVisible(ctx context.Context, who access.Principal) (bool, error) {
	view, err := d.Control.View(ctx, who, authorizer.ViewFlags)
	if err != nil {
		return false, err
	}
	visible := view.Allows(ctx, access.Cluster{})
	return visible, view.Err()
}

// WriteFlags writes the member `flags`.
func (d *Daemon) WriteFlags(doc *document.Writer) {
	doc.Begin("flags")
	for _, name := range d.flagNames() {
		doc.Str(name, d.Flags[name])
	}
	doc.End()
}

func (d *Daemon) flagNames() []string {
	names := make([]string, 0, len(d.Flags))
	for name := range d.Flags {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// FlagMessages are the settings as messages, sorted by name.
func (d *Daemon) FlagMessages() []*mesos.Flag {
	var out []*mesos.Flag
	for _, name := range d.flagNames() {
		value := d.Flags[name]
		out = append(out, &mesos.Flag{Name: &name, Value: &value})
	}
	return out
}

// MetricMessages are the metrics as messages, sorted by name.
func (d *Daemon) MetricMessages() []*mesos.Metric {
	all := d.Metrics.Read()
	var out []*mesos.Metric
	for _, name := range metrics.Names(all) {
		value := all[name]
		out = append(out, &mesos.Metric{Name: &name, Value: &value})
	}
	return out
}

func (d *Daemon) snapshot(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if err := d.endpointAllowed(r, who, "/metrics/snapshot"); err != nil {
		return err
	}
	// Ours are always ready at once, so that a time limit has nothing to cut short; a bad one is still an error.
	if timeout := r.URL.Query().Get("timeout"); timeout != "" {
		if _, err := parseDuration(timeout); err != nil {
			return endpoint.BadRequest("Invalid timeout '%s': %v", timeout, err)
		}
	}
	all := d.Metrics.Read()
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.Begin("")
		for _, name := range metrics.Names(all) {
			doc.Num(name, all[name])
		}
		doc.End()
	})
}

func (d *Daemon) prometheus(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if err := d.endpointAllowed(r, who, "/metrics"); err != nil {
		return err
	}
	d.Prometheus.ServeHTTP(w, r)
	return nil
}

func (d *Daemon) endpointAllowed(r *http.Request, who access.Principal, path string) error {
	_, err := d.Control.Check(r.Context(), who, authorizer.GetEndpointWithPath, &access.Endpoint{Path: path, Method: r.Method})
	return endpoint.AccessError(err)
}

func (d *Daemon) system(w http.ResponseWriter, r *http.Request, _ access.Principal) error {
	all := map[string]float64{}
	metrics.System(all)
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.Begin("")
		doc.Num("avg_load_15min", all["system/load_15min"])
		doc.Num("avg_load_1min", all["system/load_1min"])
		doc.Num("avg_load_5min", all["system/load_5min"])
		doc.Int("cpus_total", int64(all["system/cpus_total"]))
		doc.Int("mem_free_bytes", int64(all["system/mem_free_bytes"]))
		doc.Int("mem_total_bytes", int64(all["system/mem_total_bytes"]))
		doc.End()
	})
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Mezzo {{.Name}}</title></head>
<body><h1>Mezzo {{.Name}}</h1><p>Version {{.Version}}, speaking the API of Mesos {{.Mesos}}.</p>
<ul>{{range .Paths}}<li><a href="{{.}}">{{.}}</a></li>{{end}}</ul></body></html>
`))

// Help returns a page that names the endpoints; paths is asked when the page is.
func (d *Daemon) Help(paths func() []string) endpoint.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ access.Principal) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		return page.Execute(w, map[string]any{
			"Name": d.Name, "Version": version.Mezzo(), "Mesos": version.Mesos, "Paths": paths(),
		})
	}
}
