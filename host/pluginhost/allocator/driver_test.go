//go:build unix

package allocator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/internal/testbinary"
	"github.com/mezzo-cluster/mezzo/sdk"
	contract "github.com/mezzo-cluster/mezzo/sdk/allocator"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

var testPlugin string

func TestMain(m *testing.M) { testbinary.Main(m, &testPlugin) }

type config string

func (c config) JSON(*pluginv1.Block) ([]byte, error) { return []byte(c), nil }
func (c config) Explain(_ *pluginv1.Block, d []*pluginv1.Diagnostic) ([]string, error) {
	return nil, errors.New(d[0].GetSummary())
}
func (c config) At(_ string, err error) error { return err }

// books is a master that offers whole agents, and keeps count of what is offered.
type books struct {
	mu         sync.Mutex
	driver     *Driver
	seq        uint64
	generation uint64
	ready      bool
	agents     map[string]contract.Agent
	used       map[string]bool
	offers     int
	doubles    int // proposals of what is in use
	strangers  int // proposals of what does not exist
	void       int // proposals of an earlier generation
	pauses     int
	early      int // snapshots while proposals could still be accepted
}

func newBooks(agents int) *books {
	b := &books{agents: map[string]contract.Agent{}, used: map[string]bool{}}
	for i := range agents {
		b.addLocked(i)
	}
	return b
}

func cpus(n int) resource.Resources {
	r, err := resource.Parse(fmt.Sprintf("cpus:%d", n), "*")
	if err != nil {
		panic(err)
	}
	return r
}

func (b *books) addLocked(i int) contract.Agent {
	a := contract.Agent{ID: fmt.Sprintf("agent-%05d", i), Hostname: "h", Active: true, Total: cpus(4)}
	b.agents[a.ID] = a
	b.seq++
	return a
}

func framework() contract.Framework {
	return contract.Framework{ID: "f1", Name: "f", Roles: []string{"dev"}, Active: true}
}

func (b *books) Pause(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = false
	b.pauses++
	return nil
}

func (b *books) Ready(_ context.Context, generation uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready, b.generation = true, generation
	return nil
}

func (b *books) Snapshot() contract.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ready {
		b.early++
	}
	s := contract.Snapshot{Sequence: b.seq, Updates: []contract.Update{contract.FrameworkAdded{Framework: framework()}}}
	for _, id := range slices.Sorted(maps.Keys(b.agents)) {
		added := contract.AgentAdded{Agent: b.agents[id]}
		if b.used[id] {
			added.Uses = []contract.Use{{Framework: "f1", Resources: b.agents[id].Total.Allocate("dev")}}
		}
		s.Updates = append(s.Updates, added)
	}
	return s
}

func (b *books) Propose(_ context.Context, generation uint64, batch []contract.Allocation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready || generation != b.generation {
		b.void += len(batch)
		return nil
	}
	answers := make([]contract.Answer, len(batch))
	for i, a := range batch {
		answers[i].ID = a.ID
		switch agent, ok := b.agents[a.Agent]; {
		case !ok || !agent.Total.Contains(a.Resources):
			b.strangers++
			answers[i].Refused = "no such agent"
		case b.used[a.Agent]:
			b.doubles++
			answers[i].Refused = "it is in use"
		default:
			b.used[a.Agent] = true
			b.offers++
			answers[i].OfferID = fmt.Sprintf("offer-%d", b.offers)
		}
	}
	b.driver.Answer(generation, answers)
	return nil
}

// recover gives an agent back.
func (b *books) recover(i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := fmt.Sprintf("agent-%05d", i)
	b.used[id] = false
	b.seq++
	b.driver.Update(b.seq, contract.Recovered{Framework: "f1", Agent: id, Resources: b.agents[id].Total.Allocate("dev")})
}

func (b *books) count(f func(*books) int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return f(b)
}

func offers(b *books) int  { return b.offers }
func doubles(b *books) int { return b.doubles }

type fixture struct {
	*Driver
	t      *testing.T
	books  *books
	plugin *pluginhost.Plugin
	done   chan error
}

func start(t *testing.T, mode string, agents int, set ...func(*Driver)) *fixture {
	t.Helper()
	h := pluginhost.New(pluginhost.Options{
		RuntimeDir: filepath.Join(testbinary.ShortDir(t), "run"), Logger: slog.New(slog.DiscardHandler), StopTimeout: time.Second,
		HealthInterval: time.Hour,
	})
	s := pluginhost.Spec{Kind: "allocator", Name: "test", Binary: testbinary.As(t, testPlugin, "allocator", mode), Config: config("{}")}
	if err := h.Start(t.Context(), []pluginhost.Spec{s}, pluginhost.Strict); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	f := &fixture{t: t, plugin: h.Of("allocator")[0], books: newBooks(agents), done: make(chan error, 1)}
	f.Driver = New(f.plugin, f.books, slog.New(slog.DiscardHandler))
	f.books.driver = f.Driver
	for _, s := range set {
		s(f.Driver)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { f.done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-f.done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	return f
}

func (f *fixture) eventually(what string, condition func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("never: %s (%+v)", what, f.Stats())
		}
	}
}

func TestOffers(t *testing.T) {
	t.Parallel()
	f := start(t, "good", 3)
	f.eventually("every agent is offered", func() bool { return f.books.count(offers) == 3 })
	f.books.recover(1)
	f.eventually("it is offered again", func() bool { return f.books.count(offers) == 4 })
	f.eventually("the plugin is up to date", func() bool { s := f.Stats(); return s.Considered == s.Sent && s.Sent == 4 })
	if s := f.Stats(); s.Generation != 1 || s.Snapshots != 1 || s.Unanswered != 0 {
		t.Errorf("%+v", s)
	}
	if n := f.books.count(doubles); n != 0 {
		t.Errorf("%d proposals of what is in use", n)
	}
	e, err := f.Explain(t.Context(), "other")
	if err != nil || len(e.Reasons) != 1 || e.Reasons[0].Code != contract.ReasonUnknownFramework {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestKilled: a plugin that comes back is given the cluster as it is, and offers nothing twice.
func TestKilled(t *testing.T) {
	t.Parallel()
	f := start(t, "good", 100)
	f.eventually("every agent is offered", func() bool { return f.books.count(offers) == 100 })
	for round := range 3 {
		if err := syscall.Kill(f.plugin.Status().PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		f.eventually("the master hears of it", func() bool { return f.Stats().Generation == 0 })
		f.books.recover(round)
		f.eventually("what is free is offered", func() bool { return f.books.count(offers) == 101+round })
	}
	if n := f.books.count(doubles); n != 0 {
		t.Errorf("%d proposals of what is in use", n)
	}
	if s := f.Stats(); s.Generation < 4 {
		t.Errorf("%+v", s)
	}
}

// TestSlow: what is too much for the queue is replaced by a snapshot, and the master was never held up.
func TestSlow(t *testing.T) {
	t.Parallel()
	f := start(t, "good", 2000)
	f.eventually("every agent is offered", func() bool { return f.books.count(offers) == 2000 })
	f.queue.mu.Lock()
	f.queue.most = 100
	f.queue.mu.Unlock()
	pid := f.plugin.Status().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		f.books.recover(i)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.eventually("every agent is offered again", func() bool { return f.books.count(offers) == 4000 })
	if n := f.books.count(doubles); n != 0 {
		t.Errorf("%d proposals of what is in use", n)
	}
	if n := f.books.count(func(b *books) int { return b.early }); n != 0 {
		t.Errorf("%d snapshots were made before the master had stopped accepting", n)
	}
	if s := f.Stats(); s.Snapshots < 2 || s.Generation != s.Snapshots {
		t.Errorf("%+v", s)
	}
}

// TestNothingComesOfIt: a process that is well is not all that an allocator has to be.
func TestNothingComesOfIt(t *testing.T) {
	t.Parallel()
	f := start(t, "good", 3, func(d *Driver) { d.lookEvery, d.stuckAfter = 50*time.Millisecond, 300*time.Millisecond })
	problem := func() string { return f.plugin.Status().Problem }
	f.eventually("every agent is offered", func() bool { return f.books.count(offers) == 3 })
	pid := f.plugin.Status().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.books.recover(1)
	f.eventually("it is said that it hangs", func() bool { return strings.Contains(problem(), "considered nothing") })
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.eventually("it does not hang any more", func() bool { return problem() == "" })

	refuse := func() { f.Answer(f.Stats().Generation, []contract.Answer{{ID: 1, Refused: "there is no such agent"}}) }
	f.eventually("it is said that all is refused", func() bool { refuse(); return strings.Contains(problem(), "because there is no such agent") })
	f.books.recover(2)
	f.eventually("something is accepted again", func() bool { return problem() == "" })

	// Something is accepted between any two looks, and something else refused after it.
	for until, n := time.Now().Add(time.Second), 1; time.Now().Before(until); n++ {
		answers := append([]contract.Answer{{ID: 1, OfferID: "o"}}, slices.Repeat([]contract.Answer{{ID: 1, Refused: "late"}}, n)...)
		f.Answer(f.Stats().Generation, answers)
		if p := problem(); p != "" {
			t.Fatalf("while something is accepted: %s", p)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestLies: nonsense is refused, and a plugin that breaks the order of proposals is cut off and tried again.
func TestLies(t *testing.T) {
	t.Parallel()
	f := start(t, "lies", 3)
	f.eventually("it is tried again", func() bool { return f.Stats().Snapshots >= 2 })
	if f.plugin.Status().Bugs == 0 || f.books.count(offers) != 0 {
		t.Errorf("%d bugs, %d offers", f.plugin.Status().Bugs, f.books.count(offers))
	}
	if _, err := f.Explain(t.Context(), "f"); sdk.CodeOf(err) != sdk.Unimplemented || !strings.HasPrefix(err.Error(), `allocator "test": `) {
		t.Errorf("got %v", err)
	}
}

// TestMasterFails: without its master a driver ends.
func TestMasterFails(t *testing.T) {
	t.Parallel()
	f := start(t, "good", 1)
	f.eventually("it works", func() bool { return f.books.count(offers) == 1 })
	broken := New(f.plugin, brokenMaster{newBooks(0)}, slog.New(slog.DiscardHandler))
	if err := broken.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenMaster struct{ *books }

func (brokenMaster) Pause(context.Context) error { return errBroken }
