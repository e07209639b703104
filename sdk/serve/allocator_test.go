package serve_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/allocatorconv"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// host is the host's end of a Run.
type host struct {
	t        *testing.T
	client   allocatorv1.AllocatorServiceClient
	stream   allocatorv1.AllocatorService_RunClient
	sequence uint64
}

func runAllocator(t *testing.T, p *plugin) *host {
	t.Helper()
	h := &host{t: t, client: allocatorv1.NewAllocatorServiceClient(p)}
	h.reopen()
	return h
}

func (h *host) reopen() {
	h.t.Helper()
	var err error
	if h.stream, err = h.client.Run(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) send(r *allocatorv1.RunRequest) {
	h.t.Helper()
	if err := h.stream.Send(r); err != nil {
		h.t.Fatal(err)
	}
}

// snapshot sends updates as a snapshot in several chunks.
func (h *host) snapshot(us ...allocator.Update) {
	h.t.Helper()
	h.sequence++
	for c := range allocatorconv.Chunks(allocator.Snapshot{Sequence: h.sequence, Updates: us}, 200) {
		h.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{Snapshot: c}})
	}
}

func (h *host) update(us ...allocator.Update) {
	h.t.Helper()
	h.sequence++
	m := &allocatorv1.Updates{Sequence: h.sequence}
	for _, u := range us {
		m.Updates = append(m.Updates, allocatorconv.UpdateToProto(u))
	}
	h.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Updates{Updates: m}})
}

func (h *host) answer(as ...allocator.Answer) {
	h.t.Helper()
	m := &allocatorv1.Answers{}
	for _, a := range as {
		m.Answers = append(m.Answers, allocatorconv.AnswerToProto(a))
	}
	h.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Answers{Answers: m}})
}

// untilProgress reads until the plugin has considered all that was sent, and returns what it proposed.
func (h *host) untilProgress() []allocator.Allocation {
	h.t.Helper()
	var proposed []allocator.Allocation
	for {
		r, err := h.stream.Recv()
		if err != nil {
			h.t.Fatal(err)
		}
		for _, p := range r.GetAllocations().GetAllocations() {
			a, err := allocatorconv.AllocationFromProto(p)
			if err != nil {
				h.t.Fatal(err)
			}
			proposed = append(proposed, a)
		}
		if r.GetSnapshotRequest() != nil {
			h.t.Fatalf("the plugin wants a snapshot: %s", r.GetSnapshotRequest().GetReason())
		}
		if p := r.GetProgress(); p != nil && p.GetSequence() == h.sequence {
			return proposed
		}
	}
}

// seen is what the follower tells that it was given.
func (h *host) seen() []string {
	h.t.Helper()
	r, err := h.client.Explain(h.t.Context(), &allocatorv1.ExplainRequest{FrameworkId: "f"})
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, reason := range r.GetReasons() {
		out = append(out, reason.GetText())
	}
	return out
}

func parse(t *testing.T, text string) resource.Resources {
	t.Helper()
	r, err := resource.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func agents(t *testing.T, n int) []allocator.Update {
	t.Helper()
	var us []allocator.Update
	for i := range n {
		us = append(us, allocator.AgentAdded{Agent: allocator.Agent{
			ID: fmt.Sprintf("a%04d", i), Hostname: "host", Total: parse(t, "cpus:4;mem:1024"), Active: true}})
	}
	return us
}

func added(f allocator.Framework) allocator.Update { return allocator.FrameworkAdded{Framework: f} }

func TestCycler(t *testing.T) {
	t.Parallel()
	h := runAllocator(t, startConfigured(t, "cycler", `{}`))
	f := allocator.Framework{ID: "f", Roles: []string{"dev"}, Active: true}
	h.snapshot(append([]allocator.Update{added(f)}, agents(t, 2500)...)...)
	proposed := h.untilProgress()
	if len(proposed) != 2500 {
		t.Fatalf("%d proposed", len(proposed))
	}
	for i, a := range proposed {
		if a.ID != uint64(i+1) || a.Agent != fmt.Sprintf("a%04d", i) || a.Resources.String() != "cpus:4; mem:1024" {
			t.Fatalf("proposal %d is %+v", i, a)
		}
	}
	// What is accepted is not offered again; what is refused is.
	h.answer(allocator.Answer{ID: 1, OfferID: "o1"}, allocator.Answer{ID: 2, Refused: "no"})
	h.update(allocator.Requested{Framework: "f"})
	if again := h.untilProgress(); len(again) != 1 || again[0].Agent != "a0001" || again[0].ID != 2501 {
		t.Errorf("proposed again: %+v", again)
	}
}

// The example of the smallest plugin, as a vendor would build it, fills the fullest agent first and leaves
// alone what is fuller than its configuration says.
func TestSmallestPlugin(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "allocator-binpack")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../examples/allocator-binpack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	p := startCommand(t, exec.Command(binary))
	p.configure(t, `{"max_used": 0.5}`)
	h := runAllocator(t, p)
	us := agents(t, 4)
	for i, cpus := range []string{"1", "3", "2"} { // of 4 each
		u := us[i].(allocator.AgentAdded)
		u.Uses = []allocator.Use{{Framework: "x", Resources: parse(t, "cpus:"+cpus).Allocate("dev")}}
		us[i] = u
	}
	h.snapshot(append(us, added(allocator.Framework{ID: "f", Roles: []string{"dev"}, Active: true}))...)
	var got []string
	for _, a := range h.untilProgress() {
		got = append(got, a.Agent)
	}
	if !slices.Equal(got, []string{"a0002", "a0000", "a0003"}) {
		t.Errorf("offered %v", got)
	}
}

func TestExplainWithoutRun(t *testing.T) {
	t.Parallel()
	p := startConfigured(t, "follower", `{}`)
	_, err := allocatorv1.NewAllocatorServiceClient(p).Explain(t.Context(), &allocatorv1.ExplainRequest{FrameworkId: "f"})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("explained nothing: %v", err)
	}
}

// What is accepted after a snapshot is an allocation of which the allocator did not know; what is refused
// is nothing to it.
func TestSnapshotVoidsProposals(t *testing.T) {
	t.Parallel()
	h := runAllocator(t, startConfigured(t, "follower", `{}`))
	h.snapshot(agents(t, 5)...)
	if n := len(h.untilProgress()); n != 5 {
		t.Fatalf("%d proposed", n)
	}
	h.answer(allocator.Answer{ID: 1, OfferID: "o1"})
	// The host answered 2 before it made the snapshot, and that answer was dropped with the queue.
	h.snapshot(agents(t, 1)...)
	h.untilProgress()
	h.answer(allocator.Answer{ID: 3, OfferID: "o3"}, allocator.Answer{ID: 4, Refused: "late"},
		allocator.Answer{ID: 5, OfferID: "o5"}, allocator.Answer{ID: 6, OfferID: "o6"})
	h.update(allocator.Requested{})
	h.untilProgress()
	want := []string{
		"reset", `answer 1 "o1" ""`, "reset", `answer 6 "o6" ""`,
		"allocated f a0002 cpus(allocated: dev):1", "allocated f a0004 cpus(allocated: dev):1",
	}
	if got := h.seen(); !slices.Equal(got, want) {
		t.Errorf("seen %q, want %q", got, want)
	}
}

// A snapshot that another one interrupts counts for nothing, and nothing is proposed before the last chunk.
func TestSnapshotInterrupted(t *testing.T) {
	t.Parallel()
	h := runAllocator(t, startConfigured(t, "follower", `{}`))
	h.send(&allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{Snapshot: &allocatorv1.SnapshotChunk{
		Sequence: 7, First: true, Updates: []*allocatorv1.Update{allocatorconv.UpdateToProto(agents(t, 1)[0])},
	}}})
	for range 20 { // it may not have come yet
		_, err := h.client.Explain(t.Context(), &allocatorv1.ExplainRequest{FrameworkId: "f"})
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("explained a part of the cluster: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	h.snapshot(agents(t, 2)...)
	if n := len(h.untilProgress()); n != 2 {
		t.Errorf("%d proposed", n)
	}
	if got := h.seen(); !slices.Equal(got, []string{"reset", "reset"}) {
		t.Errorf("seen %q", got)
	}
}

func TestLostTrack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		cause  func(h *host)
		reason string
	}{
		{"an error of Update", func(h *host) { h.update(allocator.AgentRemoved{ID: "lose"}) }, "an agent is lost"},
		{"an answer left out", func(h *host) { h.answer(allocator.Answer{ID: 2, OfferID: "o"}) }, "allocation 1 was not answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := runAllocator(t, startConfigured(t, "follower", `{}`))
			h.snapshot(agents(t, 2)...)
			h.untilProgress()
			c.cause(h)
			r, err := h.stream.Recv()
			if err != nil || r.GetSnapshotRequest().GetReason() != c.reason {
				t.Fatalf("got %v, %v", r, err)
			}
			h.update(allocator.Allocated{Framework: "f", Agent: "ignored", Resources: parse(t, "cpus:1")})
			h.snapshot(agents(t, 3)...)
			if n := len(h.untilProgress()); n != 3 {
				t.Errorf("%d proposed", n)
			}
			if seen := strings.Join(h.seen(), "; "); strings.Contains(seen, "ignored") {
				t.Errorf("seen: %s", seen)
			}
		})
	}
}

func TestAllocatorPanics(t *testing.T) {
	t.Parallel()
	h := runAllocator(t, startConfigured(t, "follower", `{}`))
	h.snapshot(agents(t, 1)...)
	h.untilProgress()
	h.update(allocator.AgentRemoved{ID: "panic"})
	if _, err := h.stream.Recv(); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "an agent is a panic") {
		t.Errorf("a panic: %v", err)
	}
}

// A host that opens a new stream before the end of the old one is seen gets the new one.
func TestRunSupersedes(t *testing.T) {
	t.Parallel()
	h := runAllocator(t, startConfigured(t, "cycler", `{}`))
	h.snapshot(agents(t, 1)...)
	h.untilProgress()
	old := h.stream
	h.reopen()
	h.snapshot(added(allocator.Framework{ID: "f", Roles: []string{"dev"}, Active: true}))
	h.untilProgress()
	if _, err := old.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("the old stream: %v", err)
	}
}

func TestBadRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		m    *allocatorv1.RunRequest
	}{
		{"a chunk without its first", &allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Snapshot{
			Snapshot: &allocatorv1.SnapshotChunk{Sequence: 1, Last: true}}}},
		{"resources that are not valid", &allocatorv1.RunRequest{Message: &allocatorv1.RunRequest_Updates{
			Updates: &allocatorv1.Updates{Updates: []*allocatorv1.Update{{Update: &allocatorv1.Update_AgentAdded{
				AgentAdded: &allocatorv1.AgentAdded{Agent: &allocatorv1.Agent{Id: "a", Total: &resourcev1.Resources{
					Items: []*resourcev1.Resource{{Name: "cpus", Scalar: -1}}}}}}}}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := runAllocator(t, startConfigured(t, "cycler", `{}`))
			h.send(c.m)
			if _, err := h.stream.Recv(); status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
}
