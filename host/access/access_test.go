package access

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/authorizerconv"
)

func TestLoadBasic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"credentials": [{"principal": "a", "secret": "s3cret"}]}`: "",
		`a s3cret`:                              "expecting",
		`{"credentials": []}`:                   "no credentials",
		`{"credentials": [{"principal": "a"}]}`: "entry 1 lacks",
		`{"credentials": [{"principal": "team:a", "secret": "s3cret"}]}`:                                    `principal "team:a" has a colon`,
		`{"credentials": [{"principal": "a", "secret": "s3cret"}, {"principal": "a", "secret": "s3cret"}]}`: `principal "a" stands in it twice`,
	} {
		path := filepath.Join(t.TempDir(), "c.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadBasic(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	if _, err := LoadBasic("/nowhere/c.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(`{"credentials": [{"principal": "alice", "secret": "a"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := LoadBasic(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, secret string
		ok           bool
	}{{"alice", "a", true}, {"alice", "", false}, {"alice", "aa", false}, {"bob", "a", false}, {"", "", false}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(tt.name, tt.secret)
		who, err := b.Authenticate(r)
		if (err == nil) != tt.ok || tt.ok && who.Name != "alice" || !tt.ok && !who.IsAnonymous() {
			t.Errorf("%+v: %v %v", tt, who, err)
		}
	}
	if _, err := b.Authenticate(httptest.NewRequest("GET", "/", nil)); err == nil {
		t.Error("no credentials are enough")
	}
}

// oracle is an authorizer that answers by functions.
type oracle struct {
	authorize func(authorizer.Request) (authorizer.Answer, error)
	filter    func() (authorizer.FilterAnswer, error)
	revisions func(ctx context.Context, emit func(authorizer.Revision) error) error
}

func (o *oracle) Authorize(_ context.Context, r authorizer.Request) (authorizer.Answer, error) {
	return o.authorize(r)
}

func (o *oracle) Filter(context.Context, authorizer.Subject, authorizer.Action) (authorizer.FilterAnswer, error) {
	return o.filter()
}

func (o *oracle) Revisions(ctx context.Context, emit func(authorizer.Revision) error) error {
	return o.revisions(ctx, emit)
}

func TestDecideAsksInBatches(t *testing.T) {
	t.Parallel()
	var sizes []int
	c := NewControl(&oracle{authorize: func(r authorizer.Request) (authorizer.Answer, error) {
		sizes = append(sizes, len(r.Objects))
		a := authorizer.Answer{Revision: "r7"}
		for _, o := range r.Objects {
			a.Decisions = append(a.Decisions, authorizer.Decision{Allowed: o.Fields["name"] != "bad", Reason: "because"})
		}
		return a, nil
	}})
	objects := make([]Object, 2500)
	for i := range objects {
		objects[i] = &Role{Name: "good"}
	}
	objects[2100] = &Role{Name: "bad"}
	v, err := c.Decide(t.Context(), Anonymous, authorizer.RegisterFramework, objects...)
	if i, reason := v.Denied(); err != nil || i != 2100 || reason != "because" || v.Revision != "r7" || !slices.Equal(sizes, []int{1000, 1000, 500}) {
		t.Errorf("%d %q %v, asked %v", i, reason, err, sizes)
	}
}

// Objects may be large: what labels somebody gives to a thing is not to keep others from seeing theirs.
func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	var sizes []int
	c := NewControl(&oracle{authorize: func(r authorizer.Request) (authorizer.Answer, error) {
		request, err := authorizerconv.RequestToProto(r)
		if n := proto.Size(request); err != nil || len(r.Objects) > 1 && n > 2*questionSize {
			t.Errorf("a question about %d objects has %d bytes (%v)", len(r.Objects), n, err)
		}
		sizes = append(sizes, len(r.Objects))
		return authorizer.Answer{Revision: "r", Decisions: slices.Repeat([]authorizer.Decision{{Allowed: true}}, len(r.Objects))}, nil
	}})
	large := &Framework{Labels: func() *mesos.Labels {
		return &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String("k"), Value: proto.String(strings.Repeat("v", 5<<20))}}}
	}}
	objects := []Object{large, &Framework{}, &Framework{}, large, large, &Framework{}}
	v, err := c.Decide(t.Context(), Anonymous, authorizer.ViewFramework, objects...)
	if err != nil || len(v.Decisions) != len(objects) || !slices.Equal(sizes, []int{1, 2, 1, 1, 1}) {
		t.Errorf("%d decisions, %v, asked about %v", len(v.Decisions), err, sizes)
	}
}

func TestFailsClosed(t *testing.T) {
	t.Parallel()
	down := errors.New("it has died")
	for name, o := range map[string]*oracle{
		"error": {
			authorize: func(authorizer.Request) (authorizer.Answer, error) { return authorizer.Answer{}, down },
			filter:    func() (authorizer.FilterAnswer, error) { return authorizer.FilterAnswer{}, down },
		},
		"too few decisions": {
			authorize: func(authorizer.Request) (authorizer.Answer, error) { return authorizer.Answer{}, nil },
			filter:    func() (authorizer.FilterAnswer, error) { return authorizer.FilterAnswer{NeedsBatch: true}, nil },
		},
	} {
		c := NewControl(o)
		var unavailable *UnavailableError
		if _, err := c.Check(t.Context(), Anonymous, authorizer.ViewFlags, Cluster{}); !errors.As(err, &unavailable) {
			t.Errorf("%s: %v", name, err)
		}
		v, err := c.View(t.Context(), Anonymous, authorizer.ViewRole)
		if name == "error" {
			if !errors.As(err, &unavailable) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if v.Allows(t.Context(), &Role{Name: "x"}) || !errors.As(v.Err(), &unavailable) {
			t.Errorf("%s: allowed, %v", name, v.Err())
		}
		seen := slices.Collect(Select(t.Context(), v, slices.Values([]string{"a", "b"}), func(s string) Object { return &Role{Name: s} }))
		if len(seen) != 0 {
			t.Errorf("%s: %v are seen", name, seen)
		}
	}
}

func TestSelectInBatches(t *testing.T) {
	t.Parallel()
	c := NewControl(&oracle{
		filter: func() (authorizer.FilterAnswer, error) { return authorizer.FilterAnswer{NeedsBatch: true}, nil },
		authorize: func(r authorizer.Request) (authorizer.Answer, error) {
			a := authorizer.Answer{}
			for _, o := range r.Objects {
				a.Decisions = append(a.Decisions, authorizer.Decision{Allowed: strings.HasSuffix(o.Fields["name"].(string), "7")})
			}
			return a, nil
		},
	})
	v, err := c.View(t.Context(), Anonymous, authorizer.ViewRole)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 2345 {
		names = append(names, fmt.Sprint(i))
	}
	n := 0
	for name := range Select(t.Context(), v, slices.Values(names), func(s string) Object { return &Role{Name: s} }) {
		if n++; !strings.HasSuffix(name, "7") {
			t.Errorf("%s is seen", name)
		}
	}
	if n != 234 || v.Err() != nil {
		t.Errorf("%d are seen, %v", n, v.Err())
	}
}

func TestRevisionsEmptyTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		revisions := make(chan string)
		die := make(chan struct{})
		present := "r1"
		c := NewControl(&oracle{
			filter: func() (authorizer.FilterAnswer, error) {
				asked++
				return authorizer.FilterAnswer{Predicate: authorizer.Always(), Revision: present, ValidUntil: time.Now().Add(time.Minute)}, nil
			},
			revisions: func(ctx context.Context, emit func(authorizer.Revision) error) error {
				if err := emit(authorizer.Revision{ID: present}); err != nil {
					return err
				}
				for {
					select {
					case r := <-revisions:
						present = r
						if err := emit(authorizer.Revision{ID: r}); err != nil {
							return err
						}
					case <-die:
						return errors.New("it has died")
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		look := func(want int, when string) {
			t.Helper()
			for range 3 {
				if _, err := c.View(ctx, Principal{Name: "alice"}, authorizer.ViewRole); err != nil {
					t.Fatal(err)
				}
			}
			if asked != want {
				t.Errorf("%s: asked %d times, want %d", when, asked, want)
			}
		}
		look(3, "while no revision is known")
		go c.Run(ctx, nil)
		synctest.Wait()
		look(4, "once it is")
		revisions <- "r2"
		synctest.Wait()
		look(5, "after a change")
		time.Sleep(2 * time.Minute)
		look(6, "after valid_until")
		die <- struct{}{}
		synctest.Wait()
		look(9, "while the authorizer is down")
		time.Sleep(time.Minute)
		synctest.Wait()
		look(10, "once it is back")
		cancel()
	})
}

func TestCacheKeysDiffer(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, p := range []Principal{{}, {Name: "a"}, {Name: "a", Claims: map[string]string{"k": "v"}}, {Claims: map[string]string{"k": "v"}}, {Name: `a","k`}} {
		for _, a := range []authorizer.Action{authorizer.ViewRole, authorizer.ViewTask} {
			keys[cacheKey(p, a)] = true
		}
	}
	if len(keys) != 10 {
		t.Errorf("%d keys", len(keys))
	}
}

// TestObjectsHaveTheDocumentedFields: what a policy is told to find is what there is.
func TestObjectsHaveTheDocumentedFields(t *testing.T) {
	t.Parallel()
	l := &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String("k"), Value: proto.String("1")}, {Key: proto.String("k"), Value: proto.String("2")}}}
	f := &Framework{ID: "i", Name: "n", User: "u", Principal: "p", Roles: []string{"r"}, Labels: func() *mesos.Labels { return l }}
	x := &Executor{ID: "i", Name: "n", User: "u", Agent: "a", Labels: l, Framework: f}
	objects := []Object{
		f, x, &Role{"n", "p", "u", "f"}, &Endpoint{"/p", "GET"}, Cluster{},
		&Task{ID: "i", Role: "r", State: "TASK_RUNNING", Agent: "a", Framework: f, Info: func() *mesos.TaskInfo {
			return &mesos.TaskInfo{Name: proto.String("n"), Labels: l, Executor: &mesos.ExecutorInfo{
				ExecutorId: &mesos.ExecutorID{Value: proto.String("x")}, Command: &mesos.CommandInfo{User: proto.String("eu")},
			}}
		}},
		&Container{ID: "c", Executor: x},
	}
	for _, o := range objects {
		info, ok := authorizer.KindByName(o.Kind())
		if !ok {
			t.Fatalf("%s is no kind", o.Kind())
		}
		got := fieldMap(o)
		for _, field := range info.Fields {
			skip := o.Kind() == authorizer.ContainerKind && (field.Name == "parent_id" || field.Name == "user") // of nested ones
			if _, ok := got[field.Name]; !ok && !skip {
				t.Errorf("%s has no %s", o.Kind(), field.Name)
			}
			delete(got, field.Name)
		}
		if len(got) != 0 {
			t.Errorf("%s has fields that are not documented: %v", o.Kind(), got)
		}
	}
	task := objects[5]
	if got := task.Field("user").Text(); got != "eu" {
		t.Errorf("user %q", got)
	}
	if got := task.Field("labels").Fields().Field("k").Text(); got != "2" {
		t.Errorf("of a key given twice %q counts", got)
	}
}

// What is not UTF-8 becomes text before anybody looks at it: it fits into no question, and a single object that does not
// would refuse all that are asked about with it.
func TestObjectsAreText(t *testing.T) {
	t.Parallel()
	const bad, good = "a\xff", "a\uFFFD"
	l := &mesos.Labels{Labels: []*mesos.Label{{Key: proto.String(bad), Value: proto.String(bad)}}}
	f := &Framework{ID: bad, Name: bad, User: bad, Principal: bad, Roles: []string{"r", bad}, Labels: func() *mesos.Labels { return l }}
	x := &Executor{ID: bad, Name: bad, User: bad, Agent: bad, Labels: l, Framework: f}
	for _, o := range []Object{
		f, x, &Role{bad, bad, bad, bad}, &Endpoint{bad, bad}, &Container{ID: bad, Executor: x},
		&Task{ID: bad, Role: bad, State: bad, Agent: bad, Framework: f, Info: func() *mesos.TaskInfo {
			return &mesos.TaskInfo{Name: proto.String(bad), Labels: l, Command: &mesos.CommandInfo{User: proto.String(bad)}}
		}},
	} {
		fields := fieldMap(o)
		request, err := authorizerconv.RequestToProto(authorizer.Request{Objects: []authorizer.Object{{Kind: o.Kind(), Fields: fields}}})
		if err == nil {
			_, err = proto.Marshal(request)
		}
		if err != nil {
			t.Errorf("%s: %v", o.Kind(), err)
		}
		if name := o.Field("name"); name.Present() && name.Text() != good {
			t.Errorf("%s is named %q", o.Kind(), name.Text())
		}
		if labels := o.Field("labels"); labels.Present() && labels.Fields().Field(good).Text() != good {
			t.Errorf("%s has the labels %v", o.Kind(), labels.Any())
		}
	}
	if got := f.Field("roles").Any(); !reflect.DeepEqual(got, []any{"r", good}) {
		t.Errorf("roles %q", got)
	}
}

// TestVendorsAreToldOfAllActions: the table of docs/vendors/wire.md is that of the SDK.
func TestVendorsAreToldOfAllActions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/vendors/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(names []string) string {
		for i, name := range names {
			names[i] = "`" + name + "`"
		}
		return strings.Join(names, ", ")
	}
	for _, kind := range authorizer.Kinds() {
		var fields, actions []string
		for _, f := range kind.Fields {
			fields = append(fields, f.Name)
		}
		for _, a := range authorizer.Actions() {
			if a.Object == kind.Kind {
				actions = append(actions, string(a.Action))
			}
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |\n", kind.Kind, quoted(fields), quoted(actions)); !strings.Contains(string(page), row) {
			t.Errorf("the page lacks the row\n%s", row)
		}
	}
}

func BenchmarkFilter100000(b *testing.B) {
	p := authorizer.Compare(authorizer.Eq, authorizer.Field("framework", "principal"), authorizer.Const(authorizer.StringValue("alice")))
	v := &View{predicate: &p}
	f := &Framework{Principal: "alice"}
	all := make([]int, 100_000)
	for b.Loop() {
		n := 0
		for range Select(b.Context(), v, slices.Values(all), func(int) Object { return &Task{ID: "t", Framework: f} }) {
			n++
		}
		if n != len(all) {
			b.Fatal(n)
		}
	}
}
