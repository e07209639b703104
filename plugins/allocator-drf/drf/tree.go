package drf

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// selfName is the node, beneath a role's, that stands for the role's own frameworks beside its subroles.
// No role has such a component.
const selfName = "."

// tree keeps roles, and the frameworks of each, in the order in which they are to be served.
//
// The root's children are the roles at the top. A role's children are its subroles and, with selfName, a
// node for its own frameworks, whose children they are. What a framework has counts for every node above.
type tree struct {
	root     *node
	roles    map[string]*node
	total    vector       // of the whole cluster
	excluded map[int]bool // names that do not count
	weights  map[string]float64
	stale    bool // the total has changed: all shares are to be computed anew
}

// node is a role, a role's own frameworks together, or a framework in a role.
type node struct {
	name   string
	parent *node
	weight float64
	alloc  vector         // what is allocated here and below
	shared map[string]int // uses of shared volumes by agent and volume, nil when there are none
	count  uint64         // how often something was allocated; decides between equal shares
	share  float64
	active bool // in the parent's order

	kids   map[string]*node
	order  []*node // the active children, least share first
	client *client // set for a framework in a role
}

func newTree(excluded map[int]bool) *tree {
	return &tree{
		root:     &node{kids: make(map[string]*node)},
		roles:    make(map[string]*node),
		excluded: excluded,
	}
}

// compareNodes is the order among siblings: the smaller share, then fewer allocations, then the name.
func compareNodes(a, b *node) int {
	return cmp.Or(cmp.Compare(a.share, b.share), cmp.Compare(a.count, b.count), strings.Compare(a.name, b.name))
}

// role returns the node of a role, made with those above it when it is new.
func (t *tree) role(path string) *node {
	if n := t.roles[path]; n != nil {
		return n
	}
	parent, name := t.root, path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, name = t.role(path[:i]), path[i+1:]
	}
	n := &node{name: name, parent: parent, weight: t.weight(path), kids: make(map[string]*node)}
	parent.kids[name] = n
	t.roles[path] = n
	return n
}

func (t *tree) weight(path string) float64 {
	if w, found := t.weights[path]; found {
		return w
	}
	return 1
}

// add makes the node of a framework in a role.
func (t *tree) add(path, framework string, c *client) *node {
	role := t.role(path)
	self := role.kids[selfName]
	if self == nil {
		self = &node{name: selfName, parent: role, weight: 1, kids: make(map[string]*node)}
		role.kids[selfName] = self
	}
	n := &node{name: framework, parent: self, weight: 1, client: c}
	self.kids[framework] = n
	return n
}

// remove forgets a framework in a role, and every role that is left with nothing. The framework has
// nothing allocated and is not active.
func (t *tree) remove(path string, n *node) {
	for n.parent != nil && len(n.kids) == 0 {
		delete(n.parent.kids, n.name)
		if t.roles[path] == n {
			delete(t.roles, path)
			path, _ = resource.ParentRole(path)
		}
		n = n.parent
	}
}

// charge adds delta times sign to the framework's node and to all above, and keeps the order. The uses
// of shared volumes are those of one agent: key names the agent and the volume, and amounts are counted
// while there is at least one use.
func (t *tree) charge(leaf *node, delta vector, shared []sharedUse, sign int64) {
	for n := leaf; n.parent != nil; n = n.parent {
		at := n.position()
		n.alloc.addAll(delta, sign)
		for _, s := range shared {
			n.use(s, sign)
		}
		if sign > 0 {
			n.count++
		}
		t.refresh(n)
		n.settle(at)
	}
}

// sharedUse is a shared volume on an agent.
type sharedUse struct {
	key    string
	name   int
	amount int64
}

// use counts one use more or less of a shared volume, which is allocated from the first to the last.
func (n *node) use(s sharedUse, sign int64) {
	if n.shared == nil {
		n.shared = make(map[string]int)
	}
	before := n.shared[s.key]
	after := before + int(sign)
	n.shared[s.key] = after
	switch {
	case before == 0:
		n.alloc.add(s.name, s.amount)
	case after == 0:
		delete(n.shared, s.key)
		n.alloc.add(s.name, -s.amount)
	}
}

// refresh computes the node's share.
func (t *tree) refresh(n *node) {
	share := 0.0
	for i, amount := range n.alloc {
		total := t.total.get(i)
		if amount <= 0 || total <= 0 || t.excluded[i] {
			continue
		}
		share = max(share, float64(amount)/float64(total))
	}
	n.share = share / n.weight
}

// position is where the node is in its parent's order, -1 when it is not active.
func (n *node) position() int {
	if !n.active {
		return -1
	}
	order := n.parent.order
	return sort.Search(len(order), func(i int) bool { return compareNodes(order[i], n) >= 0 })
}

// settle moves the node, once its share has changed, from where it was in its parent's order to where it
// belongs.
func (n *node) settle(at int) {
	if at < 0 {
		return
	}
	order := n.parent.order
	for ; at+1 < len(order) && compareNodes(order[at+1], n) < 0; at++ {
		order[at] = order[at+1]
	}
	for ; at > 0 && compareNodes(order[at-1], n) > 0; at-- {
		order[at] = order[at-1]
	}
	order[at] = n
}

// activate puts the node into its parent's order, or takes it out, and does the same above.
func (n *node) activate(active bool) {
	if n.active == active || n.parent == nil {
		return
	}
	parent := n.parent
	if active {
		n.active = true
		parent.order = slices.Insert(parent.order, n.position(), n)
	} else {
		at := n.position()
		parent.order = slices.Delete(parent.order, at, at+1)
		n.active = false
	}
	parent.activate(len(parent.order) > 0)
}

// weigh sets the weights of roles: those that are not named have 1.
func (t *tree) weigh(weights map[string]float64) {
	t.weights = weights
	for path, n := range t.roles {
		n.weight = t.weight(path)
	}
	t.stale = true
}

// freshen computes all shares and orders after a change of the total or of weights.
func (t *tree) freshen() {
	if !t.stale {
		return
	}
	t.stale = false
	t.recompute(t.root)
}

func (t *tree) recompute(n *node) {
	for _, kid := range n.kids {
		t.refresh(kid)
		t.recompute(kid)
	}
	slices.SortFunc(n.order, compareNodes)
}

// each yields the active frameworks in roles, the one to be served first before all others, until yield
// returns false. The tree must not change meanwhile.
func (n *node) each(yield func(*client) bool) bool {
	if n.client != nil {
		return yield(n.client)
	}
	for _, kid := range n.order {
		if !kid.each(yield) {
			return false
		}
	}
	return true
}
