package access

import (
	"context"
	"log/slog"
)

// Entry is one state-changing call: who did what to which object, and what was decided.
type Entry struct {
	// Principal is who asked, and Address from where.
	Principal Principal
	Address   string
	// Action is the call, such as KILL.
	Action string
	// Object names what it was about.
	Object string
	// Denied is why it was refused, empty if it was not.
	Denied string
	// Revision is the policy that decided; empty without an authorizer.
	Revision string
}

// Auditor writes a record of every state-changing call.
type Auditor struct{ log *slog.Logger }

// NewAuditor returns an Auditor that writes to a log.
func NewAuditor(log *slog.Logger) *Auditor { return &Auditor{log: log} }

// Record writes an entry.
func (a *Auditor) Record(ctx context.Context, e Entry) {
	decision := "allowed"
	attrs := []slog.Attr{
		slog.String("principal", e.Principal.String()), slog.String("address", e.Address),
		slog.String("action", e.Action), slog.String("object", e.Object),
	}
	if e.Denied != "" {
		decision = "denied"
		attrs = append(attrs, slog.String("reason", e.Denied))
	}
	attrs = append(attrs, slog.String("decision", decision))
	if e.Revision != "" {
		attrs = append(attrs, slog.String("revision", e.Revision))
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}
