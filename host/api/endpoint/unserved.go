package endpoint

import (
	"net/http"

	"github.com/mezzo-cluster/mezzo/host/access"
)

// Unserved is a route for a path that clients of Mesos know and this release does not serve: it says so.
func Unserved(path, realm string, methods ...string) Route {
	return Route{
		Path: path, Methods: methods, Realm: realm,
		Handler: func(http.ResponseWriter, *http.Request, access.Principal) error {
			return Errorf(http.StatusNotImplemented, "This release does not implement %s", path)
		},
	}
}
