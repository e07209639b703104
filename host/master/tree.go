package master

import (
	"iter"
	"strings"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// tree is a persistent map from strings to T, in the order of its keys: a copy of it is a snapshot, and costs
// nothing. The owner changes it through edit and makes the changes visible to copies taken later with commit.
type tree[T any] struct {
	t   *iradix.Tree[T]
	txn *iradix.Txn[T]
}

func newTree[T any]() tree[T] { return tree[T]{t: iradix.New[T]()} }

// commit ends the changes made so far, so that t holds them and is never changed again.
func (x *tree[T]) commit() {
	if x.txn != nil {
		x.t, x.txn = x.txn.Commit(), nil
	}
}

func (x *tree[T]) edit() *iradix.Txn[T] {
	if x.txn == nil {
		x.txn = x.t.Txn()
	}
	return x.txn
}

func (x *tree[T]) set(key string, v T) { x.edit().Insert([]byte(key), v) }

func (x *tree[T]) remove(key string) { x.edit().Delete([]byte(key)) }

func (x *tree[T]) root() *iradix.Node[T] {
	if x.txn != nil {
		return x.txn.Root()
	}
	return x.t.Root()
}

func (x *tree[T]) get(key string) (T, bool) {
	if x.txn != nil {
		return x.txn.Get([]byte(key))
	}
	return x.t.Get([]byte(key))
}

// view returns what a State may keep: the tree as it is now, without the owner's means to change it.
func (x *tree[T]) view() tree[T] {
	x.commit()
	return tree[T]{t: x.t}
}

func (x *tree[T]) len() int {
	x.commit()
	return x.t.Len()
}

// below yields the values whose key begins with the prefix, in the order of their keys. The tree must not be
// changed meanwhile.
func (x *tree[T]) below(prefix string) iter.Seq[T] {
	return func(yield func(T) bool) {
		x.root().WalkPrefix([]byte(prefix), func(_ []byte, v T) bool { return !yield(v) })
	}
}

// collect returns what below yields, so that the tree may be changed while the values are gone through.
func (x *tree[T]) collect(prefix string) []T {
	var out []T
	for v := range x.below(prefix) {
		out = append(out, v)
	}
	return out
}

// first returns the value with the least key that begins with the prefix, and that key.
func (x *tree[T]) first(prefix string) (key string, v T, ok bool) {
	x.root().WalkPrefix([]byte(prefix), func(k []byte, found T) bool {
		key, v, ok = string(k), found, true
		return true
	})
	return key, v, ok
}

// pairs yields keys and values, in the order of the keys. The tree must not be changed meanwhile.
func (x *tree[T]) pairs() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		x.root().Walk(func(k []byte, v T) bool { return !yield(string(k), v) })
	}
}

// after yields the values whose key begins with the prefix and comes after another key, in the order of their
// keys. The tree must not be changed meanwhile.
func (x *tree[T]) after(prefix, key string) iter.Seq[T] {
	return func(yield func(T) bool) {
		it := x.root().Iterator()
		it.SeekLowerBound([]byte(key))
		for k, v, ok := it.Next(); ok; k, v, ok = it.Next() {
			if !strings.HasPrefix(string(k), prefix) {
				return
			}
			if string(k) != key && !yield(v) {
				return
			}
		}
	}
}
