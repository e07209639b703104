package master

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// The books: at all times, an agent's total is what is free, what tasks use and what is offered. Every movement
// between the three goes through this file.

// editUse returns the agent's entry for a framework, to be changed.
func (a *Agent) editUse(framework string) *Use {
	i, found := slices.BinarySearchFunc(a.Uses, framework, compareUse)
	if !found {
		a.Uses = slices.Insert(a.Uses, i, Use{Framework: framework})
	}
	return &a.Uses[i]
}

// tidy drops a framework's entry if it is empty.
func (a *Agent) tidy(framework string) {
	i, found := slices.BinarySearchFunc(a.Uses, framework, compareUse)
	if found && a.Uses[i].Used.IsEmpty() && a.Uses[i].Offered.IsEmpty() {
		a.Uses = slices.Delete(a.Uses, i, i+1)
	}
}

// offer moves free resources to those that are offered. r carries its role and must be free.
func (a *Agent) offer(framework string, r resource.Resources) {
	a.Free = less(a.Free, r.Unallocate())
	u := a.editUse(framework)
	u.Offered = sumOf(u.Offered, r)
}

// unoffer moves offered resources back to those that are free.
func (a *Agent) unoffer(framework string, r resource.Resources) {
	u := a.editUse(framework)
	u.Offered = less(u.Offered, r)
	a.release(framework, r)
}

// launch moves offered resources to those that are used.
func (a *Agent) launch(framework string, r resource.Resources) {
	u := a.editUse(framework)
	u.Offered = less(u.Offered, r)
	u.Used = sumOf(u.Used, r)
}

// adopt makes resources used that run on the agent already, as the agent says, and returns what was entered:
// they need not fit the agent, but what cannot be told apart from other tasks' resources (a port that two claim)
// is left out.
func (a *Agent) adopt(framework string, r resource.Resources) resource.Resources {
	u := a.editUse(framework)
	sum, err := u.Used.Add(r)
	if err == nil {
		rest, e := sum.Sub(r)
		if err = e; err == nil && !rest.Equal(u.Used) {
			r = r.Filter(func(x resource.Resource) bool { return x.Kind == resource.KindScalar })
			sum, err = u.Used.Add(r)
		}
	}
	if err != nil {
		a.tidy(framework)
		return resource.Resources{}
	}
	u.Used = sum
	a.tidy(framework)
	a.settle()
	return r
}

// free moves used resources to those that are free.
func (a *Agent) free(framework string, r resource.Resources) {
	u := a.editUse(framework)
	u.Used = less(u.Used, r)
	a.release(framework, r)
}

func (a *Agent) release(framework string, r resource.Resources) {
	a.tidy(framework)
	if a.overdrawn {
		a.settle()
		return
	}
	a.Free = sumOf(a.Free, r.Unallocate())
}

// settle computes what is free anew. If more is used than the agent has, which can be when it has come back
// with less, nothing is free until that is over.
func (a *Agent) settle() {
	a.Free, a.overdrawn = a.Total, false
	for i := range a.Uses {
		for _, r := range []resource.Resources{a.Uses[i].Used, a.Uses[i].Offered} {
			rest, err := a.Free.Sub(r.Unallocate())
			if err != nil {
				a.Free, a.overdrawn = resource.Resources{}, true
				return
			}
			a.Free = rest
		}
	}
}

// less takes resources out of others that hold them: that they do is the books' own doing.
func less(from, r resource.Resources) resource.Resources {
	rest, err := from.Sub(r)
	if err != nil {
		panic("the books do not balance: " + err.Error())
	}
	return rest
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// addTo and dropFrom keep an index of sets.
func addTo[K, V comparable](index map[K]map[V]struct{}, k K, v V) {
	set := index[k]
	if set == nil {
		set = map[V]struct{}{}
		index[k] = set
	}
	set[v] = struct{}{}
}

func dropFrom[K, V comparable](index map[K]map[V]struct{}, k K, v V) {
	set := index[k]
	delete(set, v)
	if len(set) == 0 {
		delete(index, k)
	}
}

func compareRef(a, b taskRef) int {
	return cmp.Or(cmp.Compare(a.framework, b.framework), cmp.Compare(a.task, b.task))
}

// tasksOnAgent returns the tasks of an agent, in order.
func (m *Master) tasksOnAgent(agent string) []taskRef {
	return sortedRefs(m.tasksOn[agent])
}

func sortedRefs(set map[taskRef]struct{}) []taskRef {
	return slices.SortedFunc(maps.Keys(set), compareRef)
}
