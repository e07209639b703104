package resource

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a set of names, sorted. Make one with NewSet; a Set is not changed once made.
type Set []string

// NewSet sorts names. A name given twice is an error.
func NewSet(items ...string) (Set, error) {
	sorted := slices.Clone(items)
	slices.Sort(sorted)
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return nil, fmt.Errorf("%q is in the set twice", sorted[i])
		}
	}
	return sorted, nil
}

// Cardinality is how many names the set holds.
func (s Set) Cardinality() uint64 { return uint64(len(s)) }

// Contains tells whether every name of o is in s. It does not allocate.
func (s Set) Contains(o Set) bool {
	i := 0
	for _, name := range o {
		for i < len(s) && s[i] < name {
			i++
		}
		if i == len(s) || s[i] != name {
			return false
		}
		i++
	}
	return true
}

// union is every name in either.
func (s Set) union(o Set) Set {
	all := make(Set, 0, len(s)+len(o))
	all = append(append(all, s...), o...)
	slices.Sort(all)
	return slices.Compact(all)
}

// minus is every name of s that is not in o.
func (s Set) minus(o Set) Set {
	var out Set
	for _, name := range s {
		if _, found := slices.BinarySearch(o, name); !found {
			out = append(out, name)
		}
	}
	return out
}

// String writes the set as {a, b}.
func (s Set) String() string { return "{" + strings.Join(s, ", ") + "}" }
