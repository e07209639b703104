package endpoint

import (
	"errors"
	"net/http"

	"github.com/mezzo-cluster/mezzo/host/access"
)

// AccessError turns an error of host/access into an answer: 403 for what is not allowed, 503 with Retry-After
// when nobody can say. Other errors pass.
func AccessError(err error) error {
	var denied *access.DeniedError
	if errors.As(err, &denied) {
		return Errorf(http.StatusForbidden, "%s", denied.Error())
	}
	var down *access.UnavailableError
	if errors.As(err, &down) {
		return Unavailable(access.RetryAfter, "%s", down.Error())
	}
	return err
}
