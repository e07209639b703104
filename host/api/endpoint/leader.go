package endpoint

import (
	"net/http"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
)

// Leader says which master leads.
type Leader struct {
	// Self is true if it is this one.
	Self bool
	// Ready is true if this master leads and has read the registry.
	Ready bool
	// Address is the leader's host:port for HTTP; empty if none is known.
	Address string
}

// Leadership tells who leads. It must be safe for concurrent use.
type Leadership interface {
	Leader() Leader
}

// retryElection is when to ask again while there is no leader.
const retryElection = 2 * time.Second

// LeaderOnly lets only the leading master answer: another sends the client to it.
func LeaderOnly(l Leadership, next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, who access.Principal) error {
		leader := l.Leader()
		switch {
		case leader.Self && leader.Ready:
			return next(w, r, who)
		case leader.Self:
			return Unavailable(retryElection, "Master has not finished recovery")
		case leader.Address == "":
			return Unavailable(retryElection, "No leader elected")
		}
		// Without a scheme, as in Mesos: the client keeps the one it came with.
		w.Header().Set("Location", "//"+leader.Address+r.URL.RequestURI())
		Empty(w, http.StatusTemporaryRedirect)
		return nil
	}
}

// Redirect sends clients to the leader's root, and answers 503 while there is none.
func Redirect(l Leadership) Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ access.Principal) error {
		leader := l.Leader()
		if leader.Address == "" {
			return Unavailable(retryElection, "No leader elected")
		}
		w.Header().Set("Location", "//"+leader.Address)
		Empty(w, http.StatusTemporaryRedirect)
		return nil
	}
}
