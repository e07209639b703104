package endpoint

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/access"
)

// Handler answers one request of one caller. An error that it returns becomes the answer (see Fail), so it must
// not have written anything by then.
type Handler func(w http.ResponseWriter, r *http.Request, who access.Principal) error

// Route is one endpoint.
type Route struct {
	// Path is where it is served, such as "/api/v1/scheduler".
	Path string
	// Methods are those it takes; none means all, as most of Mesos's reads do.
	Methods []string
	// Realm is the authentication realm; an empty one lets everybody in.
	Realm string
	// Exact refuses longer paths, which otherwise reach the longest route that begins them.
	Exact bool
	// Handler answers.
	Handler Handler
}

// Mux finds the route of a request as libprocess does: the longest registered path that begins the request's,
// segment by segment, so that unknown tails and trailing slashes are dropped. A first segment that is one of
// the server's own names (`/master/state`) is skipped.
type Mux struct {
	aliases []string
	auth    access.Authenticator
	routes  map[string]Route
}

// NewMux returns an empty mux that authenticates by auth. The aliases are first segments to skip, such as
// "master" or "slave(1)".
func NewMux(auth access.Authenticator, aliases ...string) *Mux {
	return &Mux{aliases: aliases, auth: auth, routes: map[string]Route{}}
}

// Handle adds routes. It panics if a path is taken: that is a mistake in the program.
func (m *Mux) Handle(routes ...Route) {
	for _, r := range routes {
		if _, taken := m.routes[r.Path]; taken || !strings.HasPrefix(r.Path, "/") {
			panic(fmt.Sprintf("endpoint: bad or repeated path %q", r.Path))
		}
		m.routes[r.Path] = r
	}
}

// Paths returns the registered paths, sorted.
func (m *Mux) Paths() []string {
	paths := make([]string, 0, len(m.routes))
	for p := range m.routes {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// daemonHeader says in every answer whose it is: master or slave(1). Masters and agents answer some of the same calls,
// so that a client that was given the wrong address would else not notice.
const daemonHeader = "Mezzo-Daemon"

// ServeHTTP answers a request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(m.aliases) > 0 {
		w.Header().Set(daemonHeader, m.aliases[0])
	}
	if err := m.serve(w, r); err != nil {
		Fail(w, err)
	}
}

func (m *Mux) serve(w http.ResponseWriter, r *http.Request) error {
	route, ok := m.find(r.URL.Path)
	if !ok {
		return NotFound()
	}
	if len(route.Methods) > 0 && !slices.Contains(route.Methods, r.Method) {
		return methodNotAllowed(route.Methods, r.Method)
	}
	who := access.Anonymous
	if route.Realm != "" {
		var err error
		if who, err = m.auth.Authenticate(r); err != nil {
			return unauthorized(m.auth, route.Realm, err)
		}
	}
	return route.Handler(w, r, who)
}

// find returns the route of a path.
func (m *Mux) find(path string) (Route, bool) {
	path = m.trimAlias(path)
	for tail := false; path != ""; tail = true {
		if r, ok := m.routes[path]; ok {
			return r, !(tail && r.Exact)
		}
		path = path[:strings.LastIndexByte(path, '/')]
		for strings.HasSuffix(path, "/") {
			path = path[:len(path)-1]
		}
	}
	return Route{}, false
}

// trimAlias drops a leading segment that names this server, and trailing slashes.
func (m *Mux) trimAlias(path string) string {
	if path == "" || path[0] != '/' {
		return ""
	}
	if path != "/" {
		path = strings.TrimRight(path, "/")
	}
	for _, a := range m.aliases {
		if rest, ok := strings.CutPrefix(path, "/"+a); ok && strings.HasPrefix(rest, "/") {
			return rest
		}
	}
	return path
}

func methodNotAllowed(allowed []string, got string) *Error {
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = "'" + a + "'"
	}
	e := Errorf(http.StatusMethodNotAllowed, "405 Method Not Allowed. Expecting one of { %s }, but received '%s'.",
		strings.Join(quoted, ", "), got)
	e.Header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
	return e
}

func unauthorized(auth access.Authenticator, realm string, err error) *Error {
	e := Errorf(http.StatusUnauthorized, "%s", err.Error())
	e.Header = http.Header{"Www-Authenticate": {auth.Challenge(realm)}}
	return e
}
