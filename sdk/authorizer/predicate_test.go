package authorizer_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// object is what the conditions of TestEval are about.
const object = `{
	"user": "ann", "empty": "", "null": null, "no": false, "n": 5, "role": "eng/web",
	"roles": ["dev", "eng/web"], "labels": {"tier": "gold", "owner": "ann"},
	"framework": {"principal": "ann", "roles": []},
	"disks": [{"id": "a", "sizes": [1, 2]}, {"id": "b", "sizes": [3]}]
}`

func fields(t interface{ Fatal(...any) }, text string) authorizer.FieldSource {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return authorizer.FieldsOf(m)
}

func TestEval(t *testing.T) {
	t.Parallel()
	o := fields(t, object)
	for _, c := range []struct {
		predicate string
		want      bool
	}{
		{`{"op": "true"}`, true},
		{`{"op": "false"}`, false},
		{`{"op": "in", "left": {"const": 1}, "right": {"const": [2, 1]}}`, true},
		{`{"op": "and"}`, true},
		{`{"op": "or"}`, false},
		{`{"op": "not", "of": [{"op": "or"}]}`, true},
		{`{"op": "eq", "left": {"path": ["user"]}, "right": {"const": "ann"}}`, true},
		{`{"op": "eq", "left": {"const": "ann"}, "right": {"path": ["framework", "principal"]}}`, true},
		{`{"op": "eq", "left": {"path": ["user"]}, "right": {"path": ["framework", "principal"]}}`, true},
		{`{"op": "ne", "left": {"path": ["user"]}, "right": {"const": "bob"}}`, true},
		// What is not there makes every comparison false, and its negation true.
		{`{"op": "eq", "left": {"path": ["missing"]}, "right": {"const": "x"}}`, false},
		{`{"op": "ne", "left": {"path": ["missing"]}, "right": {"const": "x"}}`, false},
		{`{"op": "ne", "left": {"path": ["user", "deeper"]}, "right": {"const": "x"}}`, false},
		{`{"op": "eq", "left": {"path": ["missing"]}, "right": {"path": ["missing"]}}`, false},
		{`{"op": "not", "of": [{"op": "eq", "left": {"path": ["missing"]}, "right": {"const": "x"}}]}`, true},
		{`{"op": "in", "left": {"path": ["missing"]}, "right": {"const": ["x"]}}`, false},
		{`{"op": "exists", "left": {"path": ["missing"]}}`, false},
		{`{"op": "exists", "left": {"path": ["null"]}}`, true},
		{`{"op": "exists", "left": {"path": ["empty"]}}`, true},
		{`{"op": "exists", "left": {"path": []}}`, true},
		{`{"op": "exists", "left": {"path": ["disks", "1", "sizes", "0"]}}`, true},
		{`{"op": "exists", "left": {"path": ["disks", "2"]}}`, false},
		{`{"op": "exists", "left": {"path": ["disks", "-1"]}}`, false},
		{`{"op": "eq", "left": {"path": ["null"]}, "right": {"const": null}}`, true},
		{`{"op": "eq", "left": {"path": ["no"]}, "right": {"const": false}}`, true},
		// Types are ordered null, bool, number, string, list, object.
		{`{"op": "lt", "left": {"path": ["n"]}, "right": {"const": 5.5}}`, true},
		{`{"op": "ge", "left": {"path": ["n"]}, "right": {"const": 5}}`, true},
		{`{"op": "gt", "left": {"path": ["n"]}, "right": {"const": 5}}`, false},
		{`{"op": "lt", "left": {"path": ["n"]}, "right": {"const": ""}}`, true},
		{`{"op": "lt", "left": {"const": null}, "right": {"const": false}}`, true},
		{`{"op": "lt", "left": {"const": true}, "right": {"const": -1}}`, true},
		{`{"op": "le", "left": {"const": "z"}, "right": {"const": []}}`, true},
		{`{"op": "lt", "left": {"const": [9]}, "right": {"const": {}}}`, true},
		{`{"op": "lt", "left": {"const": [1, 2]}, "right": {"const": [1, 2, 0]}}`, true},
		{`{"op": "lt", "left": {"const": {"a": 2}}, "right": {"const": {"b": 1}}}`, true},
		{`{"op": "eq", "left": {"const": {"a": [1], "b": 2}}, "right": {"const": {"b": 2, "a": [1]}}}`, true},
		{`{"op": "eq", "left": {"path": ["n"]}, "right": {"const": "5"}}`, false},
		{`{"op": "ne", "left": {"path": ["n"]}, "right": {"const": "5"}}`, true},
		{`{"op": "prefix", "left": {"path": ["role"]}, "right": {"const": "eng/"}}`, true},
		{`{"op": "suffix", "left": {"path": ["role"]}, "right": {"const": "/web"}}`, true},
		{`{"op": "contains", "left": {"path": ["role"]}, "right": {"const": "g/w"}}`, true},
		{`{"op": "contains", "left": {"path": ["roles"]}, "right": {"const": "dev"}}`, false},
		{`{"op": "prefix", "left": {"path": ["n"]}, "right": {"const": "5"}}`, false},
		{`{"op": "in", "left": {"const": "dev"}, "right": {"path": ["roles"]}}`, true},
		{`{"op": "in", "left": {"path": ["user"]}, "right": {"const": ["bob", "ann"]}}`, true},
		{`{"op": "in", "left": {"const": "gold"}, "right": {"path": ["labels"]}}`, true},
		{`{"op": "in", "left": {"const": "tier"}, "right": {"path": ["labels"]}}`, false},
		{`{"op": "in", "left": {"const": "a"}, "right": {"path": ["user"]}}`, false},
		{`{"op": "any", "left": {"path": ["roles"]}, "of": [{"op": "prefix", "left": {}, "right": {"const": "eng"}}]}`, true},
		{`{"op": "any", "left": {"path": ["framework", "roles"]}, "of": [{"op": "true"}]}`, false},
		{`{"op": "any", "left": {"path": ["user"]}, "of": [{"op": "true"}]}`, false},
		{`{"op": "any", "left": {"path": ["labels"]}, "of": [{"op": "eq", "left": {}, "right": {"path": ["user"], "up": 1}}]}`, true},
		{`{"op": "any", "left": {"path": ["disks"]}, "of": [{"op": "any", "left": {"path": ["sizes"]}, "of": [
			{"op": "and", "of": [{"op": "eq", "left": {}, "right": {"const": 3}}, {"op": "eq", "left": {"path": ["id"], "up": 1}, "right": {"const": "b"}},
			{"op": "exists", "left": {"path": ["user"], "up": 2}}]}]}]}`, true},
	} {
		var p authorizer.Predicate
		if err := json.Unmarshal([]byte(c.predicate), &p); err != nil {
			t.Fatalf("%s: %v", c.predicate, err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", c.predicate, err)
		}
		if got := p.Eval(o); got != c.want {
			t.Errorf("%s: %v", c.predicate, got)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	deep := authorizer.Always()
	for range authorizer.MaxPredicateDepth {
		deep = authorizer.Negate(deep)
	}
	wide := authorizer.All(make([]authorizer.Predicate, authorizer.MaxPredicateNodes)...)
	for i := range wide.Of {
		wide.Of[i] = authorizer.Always()
	}
	x, a := authorizer.Field("x"), authorizer.Always()
	for want, p := range map[string]authorizer.Predicate{
		"not an operation":        {},
		"takes nothing":           {Op: authorizer.True, Left: x},
		"takes predicates alone":  {Op: authorizer.And, Left: x},
		"takes one predicate":     {Op: authorizer.Not},
		"a left term alone":       {Op: authorizer.Exists},
		"one predicate":           {Op: authorizer.Any, Left: x, Of: []authorizer.Predicate{a, a}},
		"a left and a right term": {Op: authorizer.Eq, Left: x},
		"levels deep":             deep,
		"nodes":                   wide,
		"steps out of 1 any":      authorizer.HasField(authorizer.Outer(1, "x")),
		"not both":                authorizer.HasField(&authorizer.Term{Path: []string{"x"}, Const: authorizer.NullValue()}),
		"steps":                   authorizer.HasField(authorizer.Field(strings.Split(strings.Repeat("x", 33), "")...)),
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
		p.Eval(fields(t, `{}`)) // does not panic
	}
}

var paths = [][]string{{}, {"user"}, {"n"}, {"roles"}, {"labels", "tier"}, {"disks"}, {"disks", "0", "sizes"}, {"missing"}}

func drawTerm(t *rapid.T, anys int) *authorizer.Term {
	if rapid.Bool().Draw(t, "const") {
		return authorizer.Const(authorizer.ValueOf(rapid.SampledFrom([]any{
			nil, true, 5.0, "ann", "", []any{"dev"}, map[string]any{"id": "a"},
		}).Draw(t, "value")))
	}
	return authorizer.Outer(rapid.IntRange(0, anys).Draw(t, "up"), rapid.SampledFrom(paths).Draw(t, "path")...)
}

func drawPredicate(t *rapid.T, depth, anys int) authorizer.Predicate {
	ops := []authorizer.Op{
		authorizer.True, authorizer.False, authorizer.Exists, authorizer.Eq, authorizer.Ne, authorizer.Lt, authorizer.Le,
		authorizer.Gt, authorizer.Ge, authorizer.Prefix, authorizer.Suffix, authorizer.Contains, authorizer.In,
	}
	if depth > 0 {
		ops = append(ops, authorizer.And, authorizer.Or, authorizer.Not, authorizer.Any)
	}
	p := authorizer.Predicate{Op: rapid.SampledFrom(ops).Draw(t, "op")}
	switch p.Op {
	case authorizer.True, authorizer.False:
	case authorizer.And, authorizer.Or:
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			p.Of = append(p.Of, drawPredicate(t, depth-1, anys))
		}
	case authorizer.Not:
		p.Of = []authorizer.Predicate{drawPredicate(t, depth-1, anys)}
	case authorizer.Any:
		p.Left = drawTerm(t, anys)
		p.Of = []authorizer.Predicate{drawPredicate(t, depth-1, anys+1)}
	case authorizer.Exists:
		p.Left = drawTerm(t, anys)
	default:
		p.Left, p.Right = drawTerm(t, anys), drawTerm(t, anys)
	}
	return p
}

// What is drawn is valid, means the same after a way over JSON, and obeys the laws of logic.
func TestPredicateProperties(t *testing.T) {
	t.Parallel()
	o := fields(t, object)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPredicate(t, 4, 0)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q authorizer.Predicate
		if err := json.Unmarshal(data, &q); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(q)
		if err != nil || string(again) != string(data) {
			t.Fatalf("%s became %s", data, again)
		}
		holds := p.Eval(o)
		not := authorizer.Negate(p)
		twice := authorizer.Negate(not)
		if q.Eval(o) != holds || not.Eval(o) == holds || twice.Eval(o) != holds {
			t.Fatalf("%s: %v", data, holds)
		}
		r := drawPredicate(t, 2, 0)
		both, either := authorizer.All(p, r), authorizer.OneOf(p, r)
		neither := authorizer.Negate(authorizer.All(authorizer.Negate(p), authorizer.Negate(r)))
		if both.Eval(o) != (holds && r.Eval(o)) || either.Eval(o) != (holds || r.Eval(o)) || either.Eval(o) != neither.Eval(o) {
			t.Fatalf("%s with %+v", data, r)
		}
	})
}

// Exactly one of <, = and > holds for values that are there.
func TestOrder(t *testing.T) {
	t.Parallel()
	value := rapid.Custom(func(t *rapid.T) any {
		return rapid.SampledFrom([]any{
			nil, true, false, -1.0, 0.0, 2.5, "", "a", "b", []any{}, []any{1.0}, []any{"a", nil}, map[string]any{}, map[string]any{"a": 1.0},
			map[string]any{"a": 2.0}, map[string]any{"a": 1.0, "b": []any{}},
		}).Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := value.Draw(t, "a"), value.Draw(t, "b"), value.Draw(t, "c")
		is := func(op authorizer.Op, x, y any) bool {
			p := authorizer.Compare(op, authorizer.Const(authorizer.ValueOf(x)), authorizer.Const(authorizer.ValueOf(y)))
			return p.Eval(authorizer.FieldsOf(nil))
		}
		n := 0
		for _, op := range []authorizer.Op{authorizer.Lt, authorizer.Eq, authorizer.Gt} {
			if is(op, a, b) {
				n++
			}
		}
		if n != 1 || is(authorizer.Eq, a, b) != reflect.DeepEqual(a, b) || is(authorizer.Ne, a, b) == is(authorizer.Eq, a, b) ||
			is(authorizer.Le, a, b) != (is(authorizer.Lt, a, b) || is(authorizer.Eq, a, b)) || is(authorizer.Lt, a, b) != is(authorizer.Gt, b, a) {
			t.Fatalf("%v and %v", a, b)
		}
		if is(authorizer.Lt, a, b) && is(authorizer.Lt, b, c) && !is(authorizer.Lt, a, c) {
			t.Fatalf("%v < %v < %v", a, b, c)
		}
	})
}

func TestActions(t *testing.T) {
	t.Parallel()
	seen := map[authorizer.Action]bool{}
	for _, a := range authorizer.Actions() {
		if _, ok := authorizer.KindByName(a.Object); !ok || seen[a.Action] || a.Doc == "" {
			t.Errorf("action %+v", a)
		}
		seen[a.Action] = true
		if b, ok := authorizer.ActionByName(string(a.Action)); !ok || b != a {
			t.Errorf("action %s is found as %+v", a.Action, b)
		}
	}
	if len(seen) != 53 {
		t.Errorf("%d actions, and Mesos has 53", len(seen))
	}
	if _, ok := authorizer.ActionByName("sing"); ok {
		t.Error("there is an action sing")
	}
	for _, k := range authorizer.Kinds() {
		names := map[string]bool{}
		for _, f := range k.Fields {
			_, known := authorizer.KindByName(f.Kind)
			if names[f.Name] || f.Doc == "" || (f.Type == authorizer.FieldObject) != known {
				t.Errorf("field %s.%s: %+v", k.Kind, f.Name, f)
			}
			names[f.Name] = true
		}
	}
}

// task is an object as a host has it: fields without a map.
type task struct{ user, role, principal string }

func (x *task) Field(name string) authorizer.Value {
	switch name {
	case "user":
		return authorizer.OptionalString(x.user)
	case "role":
		return authorizer.OptionalString(x.role)
	case "framework":
		return authorizer.FieldsValue((*framework)(x))
	}
	return authorizer.Value{}
}

func (x *task) Each(yield func(string, authorizer.Value) bool) {
	for _, name := range []string{"user", "role", "framework"} {
		if v := x.Field(name); v.Present() && !yield(name, v) {
			return
		}
	}
}

type framework task

func (x *framework) Field(name string) authorizer.Value {
	if name == "principal" {
		return authorizer.OptionalString(x.principal)
	}
	return authorizer.Value{}
}

func (x *framework) Each(yield func(string, authorizer.Value) bool) {
	yield("principal", x.Field("principal"))
}

func taskPredicate() authorizer.Predicate {
	text := func(s string) *authorizer.Term { return authorizer.Const(authorizer.StringValue(s)) }
	return authorizer.OneOf(
		authorizer.Compare(authorizer.Eq, authorizer.Field("framework", "principal"), text("ann")),
		authorizer.Compare(authorizer.Prefix, authorizer.Field("role"), text("eng/")),
		authorizer.Compare(authorizer.In, authorizer.Field("user"), authorizer.Const(authorizer.StringsValue([]string{"x", "y"}))),
	)
}

func TestEvalDoesNotAllocate(t *testing.T) {
	p, x := taskPredicate(), &task{user: "bob", role: "dev", principal: "bob"}
	if n := testing.AllocsPerRun(100, func() { p.Eval(x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkFilter is a user's view of 100,000 tasks.
func BenchmarkFilter(b *testing.B) {
	p := taskPredicate()
	var tasks []*task
	for i := range 100_000 {
		tasks = append(tasks, &task{user: "bob", role: fmt.Sprint("dev", i), principal: fmt.Sprint(i)})
	}
	for b.Loop() {
		for _, x := range tasks {
			p.Eval(x)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	v := authorizer.ValuesValue(authorizer.NullValue(), authorizer.NumberValue(2), authorizer.StringMapValue(map[string]string{"k": "v"}))
	data, err := json.Marshal(v)
	if err != nil || string(data) != `[null,2,{"k":"v"}]` {
		t.Errorf("%s, %v", data, err)
	}
	if _, err := json.Marshal(authorizer.Value{}); err == nil {
		t.Error("no value has a JSON")
	}
	if authorizer.ValueOf(struct{}{}).Present() || authorizer.OptionalString("").Present() {
		t.Error("what is no value is one")
	}
	for _, x := range []any{int64(3), 3, 3.0} {
		if n := authorizer.ValueOf(x); n.Kind() != authorizer.Number || n.Number() != 3 {
			t.Errorf("%T is %+v", x, n)
		}
	}
}
