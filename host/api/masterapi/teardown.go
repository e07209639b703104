package masterapi

import (
	"errors"
	"net/http"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// Teardown removes a framework at an operator's wish, and returns once the master has done so. It asks whether the
// operator may, and leaves an audit record.
func Teardown(r *http.Request, who access.Principal, c Config, id string) error {
	state := c.Master.State()
	if state == nil {
		return endpoint.Unavailable(access.RetryAfter, "This master does not lead any more")
	}
	framework := state.Framework(id)
	if framework == nil {
		return endpoint.BadRequest("No framework found with specified ID")
	}
	revision, err := c.Control.Check(r.Context(), who, authorizer.TeardownFramework, view.FrameworkObject(framework))
	var denied *access.DeniedError
	if err == nil || errors.As(err, &denied) {
		entry := access.Entry{
			Principal: who, Address: r.RemoteAddr, Action: "TEARDOWN", Object: "framework " + id, Revision: revision,
		}
		if denied != nil {
			entry.Denied = denied.Error()
		}
		c.Audit.Record(r.Context(), entry)
	}
	if err != nil {
		return endpoint.AccessError(err)
	}
	ticket := c.Replies.Take()
	defer ticket.Drop()
	if err := c.Master.Enqueue(r.Context(), master.Teardown{Framework: id, Principal: who.Name, Reply: ticket.ID}); err != nil {
		return endpoint.Unavailable(access.RetryAfter, "This master does not lead any more: %v", err)
	}
	return ticket.Wait(r.Context())
}
