package drf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
)

// Explain implements allocator.Allocator.
func (a *Allocator) Explain(now time.Time, id string) (allocator.Explanation, error) {
	out := allocator.Explanation{Framework: id}
	f := a.frameworks[id]
	switch {
	case f == nil || !f.known:
		out.Reasons = []allocator.Reason{{Code: allocator.ReasonUnknownFramework, Text: fmt.Sprintf("No framework %s has subscribed.", id)}}
		return out, nil
	case !f.Active:
		out.Reasons = append(out.Reasons, allocator.Reason{Code: allocator.ReasonInactive, Text: "The framework is not connected."})
	}
	if len(a.list) == 0 {
		out.Reasons = append(out.Reasons, allocator.Reason{Code: allocator.ReasonNoAgents, Text: "No agent is registered."})
	}
	a.tree.freshen()
	a.measureHeadroom()
	for _, c := range f.clients {
		if c.subscribed {
			out.Reasons = append(out.Reasons, a.explainRole(now, c)...)
		}
	}
	slices.SortStableFunc(out.Reasons, func(x, y allocator.Reason) int {
		return cmp.Or(cmp.Compare(gravity(x), gravity(y)), cmp.Compare(y.Agents, x.Agents), cmp.Compare(x.Role, y.Role), cmp.Compare(x.Code, y.Code))
	})
	return out, nil
}

// gravity puts what stands in the way of everything before what concerns some agents.
func gravity(r allocator.Reason) int {
	switch {
	case r.Code == allocator.ReasonShare:
		return 2
	case r.Agents > 0:
		return 1
	default:
		return 0
	}
}

// tally is the agents that are kept away for one reason.
type tally struct {
	agents int
	one    string // the first of them
	until  time.Time
}

// explainRole says what keeps each agent from one of the framework's roles, in sum.
func (a *Allocator) explainRole(now time.Time, c *client) []allocator.Reason {
	var out []allocator.Reason
	if c.suppressed {
		out = append(out, allocator.Reason{
			Code: allocator.ReasonSuppressed, Role: c.role,
			Text: fmt.Sprintf("The framework has suppressed offers in role %s; it has to revive it.", c.role),
		})
	}
	tallies := make(map[allocator.ReasonCode]*tally)
	for _, ag := range a.list {
		v := a.fit(now, c, ag)
		code := v.reason
		if code == "" {
			code = allocator.ReasonShare // it could be offered: so others come first, or the next cycle does
		}
		t := tallies[code]
		if t == nil {
			t = &tally{one: ag.ID, until: v.until}
			tallies[code] = t
		}
		t.agents++
		if v.until.Before(t.until) {
			t.until = v.until
		}
	}
	for code, t := range tallies {
		if code != allocator.ReasonShare {
			out = append(out, a.reason(code, c, t))
		}
	}
	return a.explainShare(c, tallies, out)
}

// reason puts a tally into words.
func (a *Allocator) reason(code allocator.ReasonCode, c *client, t *tally) allocator.Reason {
	r := allocator.Reason{Code: code, Role: c.role, Agents: t.agents, Until: t.until}
	if t.agents == 1 {
		r.Agent = t.one
	}
	r.Text = fmt.Sprintf("%s: %s.", agents(t), a.words(code, c, t))
	return r
}

func agents(t *tally) string {
	if t.agents == 1 {
		return "Agent " + t.one
	}
	return fmt.Sprintf("%d agents", t.agents)
}

func (a *Allocator) words(code allocator.ReasonCode, c *client, t *tally) string {
	switch code {
	case allocator.ReasonAgentInactive:
		return "not active: disconnected, draining or deactivated"
	case allocator.ReasonRegion:
		return "in another region than the masters, and the framework lacks the capability REGION_AWARE"
	case allocator.ReasonCapability:
		return "what is there needs a capability that the framework or the agent lacks" +
			" (GPU_RESOURCES, REVOCABLE_RESOURCES, RESERVATION_REFINEMENT; MULTI_ROLE, HIERARCHICAL_ROLE)"
	case allocator.ReasonConstraint:
		return "the framework's offer constraints exclude it"
	case allocator.ReasonNothingFree:
		return "everything is in use or offered"
	case allocator.ReasonReserved:
		return fmt.Sprintf("what is free, or nearly all of it, is reserved for roles other than %s and those above it", c.role)
	case allocator.ReasonTooSmall:
		return "what is free is less than the least worth an offer (" + minimumText(a, c) + ")"
	case allocator.ReasonFiltered:
		return "the framework has declined what is free there; the first of its filters ends " + t.until.UTC().Format(time.RFC3339)
	case allocator.ReasonQuotaLimit:
		return "the quota limit of role " + c.role + " is reached" + a.quotaFigures(c)
	case allocator.ReasonQuotaHeadroom:
		return "what is free is kept for quota guarantees of other roles" + a.quotaFigures(c)
	default:
		return strings.ReplaceAll(string(code), "_", " ")
	}
}

func minimumText(a *Allocator, c *client) string {
	var sets []string
	for _, q := range a.minimum(c) {
		sets = append(sets, q.String())
	}
	return strings.Join(sets, " or ")
}

// quotaFigures says what the roles with quota at and above the client's have and may have.
func (a *Allocator) quotaFigures(c *client) string {
	parts := a.quotas.figures(a.names, c.role)
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// explainShare adds whom others are served before, when that is why something is not offered.
func (a *Allocator) explainShare(c *client, tallies map[allocator.ReasonCode]*tally, out []allocator.Reason) []allocator.Reason {
	t := tallies[allocator.ReasonShare]
	if !c.node.active || (t == nil && tallies[allocator.ReasonNothingFree] == nil) {
		return out
	}
	before := 0
	a.tree.root.each(func(other *client) bool {
		if other == c {
			return false
		}
		before++
		return true
	})
	role := a.tree.roles[c.role]
	r := allocator.Reason{Code: allocator.ReasonShare, Role: c.role}
	if t != nil {
		r.Agents = t.agents
		r.Text = fmt.Sprintf("%s: will be offered with the next cycle; ", agents(t))
	} else if before == 0 {
		return out // it is the first to be served, when something is free
	}
	r.Text += fmt.Sprintf("%d come before it in the order of shares; role %s has a share of %.4f with a weight of %g, the framework one of %.4f.",
		before, c.role, role.share*role.weight, role.weight, c.node.share)
	return append(out, r)
}
