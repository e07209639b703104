package drf

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// quotas is the roles with a guarantee or a limit, and what counts against it. A role's consumption is
// what is reserved for it and the roles below, used or not, and what else is allocated to them, revocable
// resources aside.
type quotas struct {
	roles      []*quota // by path
	guaranteed []int    // names that some role has a guarantee of
	headroom   vector   // during a cycle: what of these is free and unreserved on active agents
}

type quota struct {
	path      string
	guarantee vector
	limit     map[int]resource.Limit
	consumed  vector
}

// newQuotas reads the quotas; consumption is to be counted by the caller.
func newQuotas(n *names, in map[string]allocator.Quota) *quotas {
	q := &quotas{}
	for _, path := range slices.Sorted(maps.Keys(in)) {
		one := &quota{path: path, limit: make(map[int]resource.Limit)}
		for name, amount := range in[path].Guarantees.All() {
			one.guarantee.add(n.of(name), int64(amount))
			if !slices.Contains(q.guaranteed, n.of(name)) {
				q.guaranteed = append(q.guaranteed, n.of(name))
			}
		}
		for name, limit := range in[path].Limits.All() {
			one.limit[n.of(name)] = limit
		}
		q.roles = append(q.roles, one)
	}
	return q
}

func (q *quotas) isEmpty() bool { return len(q.roles) == 0 }

// consume counts amounts times sign for the role and those above it.
func (q *quotas) consume(role string, amounts vector, sign int64) {
	for _, one := range q.roles {
		if resource.IsSubrole(role, one.path) {
			one.consumed.addAll(amounts, sign)
		}
	}
}

// reserved counts what of an agent is reserved, times sign.
func (q *quotas) reserved(n *names, total resource.Resources, sign int64) {
	if q.isEmpty() {
		return
	}
	for _, role := range total.Roles() {
		var amounts vector
		amounts.scalars(n, total.ReservedTo(role), anyScalar)
		q.consume(role, amounts, sign)
	}
}

// wanted is how much of a name is still guaranteed to the role or one above it.
func (q *quotas) wanted(role string, name int) int64 {
	var most int64
	for _, one := range q.roles {
		if resource.IsSubrole(role, one.path) {
			most = max(most, one.guarantee.get(name)-one.consumed.get(name))
		}
	}
	return most
}

// unmet tells whether something is still guaranteed to the role or one above it.
func (q *quotas) unmet(role string) bool {
	for _, name := range q.guaranteed {
		if q.wanted(role, name) > 0 {
			return true
		}
	}
	return false
}

// room is how much of a name the role may get: by its limits, and by what has to stay free for the
// guarantees of others.
func (q *quotas) room(role string, name int) (byLimit, byHeadroom int64) {
	byLimit, byHeadroom = math.MaxInt64, math.MaxInt64
	for _, one := range q.roles {
		if !resource.IsSubrole(role, one.path) {
			continue
		}
		if limit, found := one.limit[name]; found {
			if v, finite := limit.Value(); finite {
				byLimit = min(byLimit, max(int64(v)-one.consumed.get(name), 0))
			}
		}
	}
	if slices.Contains(q.guaranteed, name) {
		surplus := q.headroom.get(name) - q.required(name)
		byHeadroom = max(surplus, 0) + q.wanted(role, name)
	}
	return byLimit, byHeadroom
}

// required is how much of a name has to stay free for guarantees that are not met.
func (q *quotas) required(name int) int64 {
	var sum int64
	for _, one := range q.roles {
		sum += max(one.guarantee.get(name)-one.consumed.get(name), 0)
	}
	return sum
}

// fit is what of the resources the role may get: unreserved scalars are cut to the room there is, and
// what cannot be divided is left out when it does not fit. Everything else is kept. The reason is that of
// the first thing that was cut.
func (q *quotas) fit(n *names, role string, r resource.Resources) (resource.Resources, allocator.ReasonCode, error) {
	if q.isEmpty() || !q.tight(n, role, r) {
		return r, "", nil
	}
	var kept []resource.Resource
	var reason allocator.ReasonCode
	given := make(map[int]int64)
	for x := range r.All() {
		if x.Kind != resource.KindScalar || !quotaScalar(x) {
			kept = append(kept, x)
			continue
		}
		name := n.of(x.Name)
		byLimit, byHeadroom := q.room(role, name)
		room := min(byLimit, byHeadroom) - given[name]
		if int64(x.Scalar) > room {
			if reason == "" {
				reason = allocator.ReasonQuotaLimit
				if byHeadroom < byLimit {
					reason = allocator.ReasonQuotaHeadroom
				}
			}
			if x.IsWhole() || room <= 0 {
				continue
			}
			x.Scalar = divisible(x.Name, room)
		}
		given[name] += int64(x.Scalar)
		kept = append(kept, x)
	}
	cut, err := resource.New(kept...)
	return cut, reason, err
}

// divisible rounds an amount down to what may be given of a name: GPUs come whole.
func divisible(name string, amount int64) resource.Scalar {
	if name == "gpus" {
		amount -= amount % 1000
	}
	return resource.Scalar(amount)
}

// tight tells whether something of the resources does not fit.
func (q *quotas) tight(n *names, role string, r resource.Resources) bool {
	var asked vector
	asked.scalars(n, r, quotaScalar)
	for name, amount := range asked {
		if amount == 0 {
			continue
		}
		byLimit, byHeadroom := q.room(role, name)
		if amount > min(byLimit, byHeadroom) {
			return true
		}
	}
	return false
}

// contributes tells whether the resources would give the role something that it is guaranteed.
func (q *quotas) contributes(n *names, role string, r resource.Resources) bool {
	for _, name := range q.guaranteed {
		if q.wanted(role, name) > 0 && r.Filter(quotaScalar).Amount(n.list[name]) > 0 {
			return true
		}
	}
	return false
}

// figures says, for each role with quota at or above the given one, what it consumes and what it may.
func (q *quotas) figures(n *names, role string) []string {
	var out []string
	for _, one := range q.roles {
		if !resource.IsSubrole(role, one.path) {
			continue
		}
		for name, text := range n.list {
			limit, limited := one.limit[name]
			guarantee := one.guarantee.get(name)
			if !limited && guarantee == 0 {
				continue
			}
			line := fmt.Sprintf("%s has %s %s", one.path, resource.Scalar(one.consumed.get(name)), text)
			if limited {
				line += " of at most " + limit.String()
			}
			if guarantee > 0 {
				line += ", guaranteed " + resource.Scalar(guarantee).String()
			}
			out = append(out, line)
		}
	}
	return out
}
