package drf

import "github.com/mezzo-cluster/mezzo/sdk/resource"

// names gives each resource name a small number. It only grows.
type names struct {
	index map[string]int
	list  []string
}

func newNames() *names { return &names{index: make(map[string]int)} }

func (n *names) of(name string) int {
	i, found := n.index[name]
	if !found {
		i = len(n.list)
		n.index[name] = i
		n.list = append(n.list, name)
	}
	return i
}

// vector is amounts in thousandths by the number of their name. What is beyond its length is zero.
//
// Sums wrap around where they do not fit into 64 bits, so that adding and taking away always undo each
// other. A cluster for which that happens would have its shares wrong, and nothing else: what may be
// given out is decided with the checked arithmetic of package resource.
type vector []int64

func (v vector) get(i int) int64 {
	if i < len(v) {
		return v[i]
	}
	return 0
}

func (v *vector) add(i int, amount int64) {
	for len(*v) <= i {
		*v = append(*v, 0)
	}
	(*v)[i] += amount
}

// addAll adds o times sign, which is 1 or -1.
func (v *vector) addAll(o vector, sign int64) {
	for i, amount := range o {
		if amount != 0 {
			v.add(i, amount*sign)
		}
	}
}

// reset empties the vector and keeps its storage.
func (v *vector) reset() { *v = (*v)[:0] }

// scalars adds the amounts of the scalar resources that count to v. Shared volumes are left out: they
// are counted once for each agent, see node.share.
func (v *vector) scalars(n *names, r resource.Resources, counts func(resource.Resource) bool) {
	for x := range r.All() {
		if x.Kind == resource.KindScalar && !x.Shared && counts(x) {
			v.add(n.of(x.Name), int64(x.Scalar))
		}
	}
}

func anyScalar(resource.Resource) bool { return true }

// quotaScalar tells whether allocating the resource uses up quota: a reservation has done so already.
func quotaScalar(x resource.Resource) bool { return len(x.Reservations) == 0 && !x.Revocable }
