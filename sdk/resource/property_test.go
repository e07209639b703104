package resource

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAddIsCommutativeAndAssociative(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genResources(t, "a"), genResources(t, "b"), genResources(t, "c")
		ab, ba := add(t, a, b), add(t, b, a)
		if !ab.Equal(ba) {
			t.Fatalf("a+b = %s, b+a = %s", ab, ba)
		}
		left, right := add(t, ab, c), add(t, a, add(t, b, c))
		if !left.Equal(right) {
			t.Fatalf("(a+b)+c = %s, a+(b+c) = %s", left, right)
		}
		if !left.Contains(a) || !left.Contains(b) || !left.Contains(c) {
			t.Fatalf("%s does not contain its parts", left)
		}
	})
}

func TestSubUndoesAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genResources(t, "a"), genResources(t, "b")
		ab := add(t, a, b)
		if disjoint(a, b) {
			if back := sub(t, ab, b); !back.Equal(a) {
				t.Fatalf("(a+b)-b = %s, a = %s", back, a)
			}
		}
		// What can be taken out can be put back, overlapping or not.
		rest := sub(t, ab, a)
		if again := add(t, rest, a); !again.Equal(ab) {
			t.Fatalf("(a+b)-a+a = %s, a+b = %s", again, ab)
		}
	})
}

// disjoint tells whether no range and no set of the one shares a member with one of the other of the
// same identity, where Add unites and does not add up.
func disjoint(a, b Resources) bool {
	for x := range a.All() {
		for y := range b.All() {
			if compareIdentity(&x, &y) != 0 {
				continue
			}
			if x.Ranges.Overlaps(y.Ranges) || slices.ContainsFunc(x.Set, func(s string) bool { return slices.Contains(y.Set, s) }) {
				return false
			}
		}
	}
	return true
}

func TestSubWorksExactlyWhenContained(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genResources(t, "a"), genResources(t, "b")
		_, err := a.Sub(b)
		if a.Contains(b) != (err == nil) {
			t.Fatalf("%s contains %s: %t, but Sub says %v", a, b, a.Contains(b), err)
		}
		if a.Contains(b) && b.Contains(a) && !a.Equal(b) {
			t.Fatalf("%s and %s contain each other and differ", a, b)
		}
	})
}

func TestMinusTakesWhatThereIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genResources(t, "a"), genResources(t, "b")
		rest := a.Minus(b)
		if !a.Contains(rest) {
			t.Fatalf("%s minus %s left %s", a, b, rest)
		}
		if a.Contains(b) && !rest.Equal(sub(t, a, b)) {
			t.Fatalf("%s minus %s left %s", a, b, rest)
		}
		// What was taken is no more than b, and nothing of b that a has is left.
		if taken := sub(t, a, rest); !b.Contains(taken) {
			t.Fatalf("%s minus %s took %s", a, b, taken)
		}
		if again := rest.Minus(b.Minus(sub(t, a, rest))); !again.Equal(rest) {
			t.Fatalf("%s minus %s left %s, of which more could be taken", a, b, rest)
		}
	})
}

func TestScalarsFollowAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := genResources(t, "a").NonShared()
		b := genResources(t, "b").NonShared()
		want, err := a.Scalars().Add(b.Scalars())
		if err != nil {
			t.Fatal(err)
		}
		if got := add(t, a, b).Scalars(); !got.Equal(want) {
			t.Fatalf("scalars of the sum %s, sum of the scalars %s", got, want)
		}
	})
}

func TestNewIsIndependentOfOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := slices.Collect(genResources(t, "a").All())
		shuffled := rapid.Permutation(all).Draw(t, "order")
		a, b := collected(t, all...), collected(t, shuffled...)
		if !a.Equal(b) || a.Len() != b.Len() {
			t.Fatalf("%s and %s differ by the order of making", a, b)
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := genResources(t, "a")
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(string(text), DefaultRole)
		if err != nil {
			t.Fatalf("parse %s: %v", text, err)
		}
		if !a.Equal(b) || a.String() != b.String() {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := genResources(t, "a").Flatten().Unallocate().NonRevocable().Filter(func(r Resource) bool { return r.Disk == nil })
		if a.IsEmpty() {
			return
		}
		b, err := Parse(a.String(), DefaultRole)
		if err != nil {
			t.Fatalf("parse %s: %v", a, err)
		}
		if !a.Equal(b) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func TestReservationsPushAndPop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := genResources(t, "a").NonRevocable()
		pushed, err := a.PushReservation(Reservation{Type: Dynamic, Role: "eng/web/x"})
		if err != nil {
			t.Fatal(err)
		}
		popped, err := pushed.PopReservation()
		if err != nil {
			t.Fatal(err)
		}
		if !popped.Equal(a) {
			t.Fatalf("%s became %s", a, popped)
		}
		if !pushed.Flatten().Equal(a.Flatten()) {
			t.Fatalf("without reservations: %s and %s", pushed.Flatten(), a.Flatten())
		}
	})
}

func TestMillionOperationsDoNotDrift(t *testing.T) {
	t.Parallel()
	total := mustParse(t, "cpus:1;mem:10;ports:[1-100]")
	task := mustParse(t, "cpus:0.1;mem:0.3;ports:[5-9]")
	free := total
	for range 500_000 {
		taken, err := free.Sub(task)
		if err != nil {
			t.Fatal(err)
		}
		if free, err = taken.Add(task); err != nil {
			t.Fatal(err)
		}
	}
	if !free.Equal(total) {
		t.Fatalf("a million operations made %s of %s", free, total)
	}
}
