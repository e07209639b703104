package scheduler

import (
	"testing"

	"github.com/mezzo-cluster/mezzo/host/api/stream"
	"github.com/mezzo-cluster/mezzo/host/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// TestClientGoneBeforeItsFrameworkIsKnown: the machine must hear of it once it has named the framework.
func TestClientGoneBeforeItsFrameworkIsKnown(t *testing.T) {
	t.Parallel()
	type loss struct {
		framework string
		id        master.StreamID
	}
	lost := make(chan loss, 1)
	s := NewStreams(stream.DefaultLimit(), func(framework string, id master.StreamID) { lost <- loss{framework, id} })
	s.begin("s1")
	if framework := s.end("s1"); framework != "" {
		t.Errorf("framework %q", framework)
	}
	s.Send("f1", "s1", &scheduler.Event{Type: scheduler.Event_SUBSCRIBED.Enum()})
	if got := <-lost; got != (loss{"f1", "s1"}) {
		t.Errorf("lost %v", got)
	}
	if s.Len() != 0 {
		t.Errorf("%d streams are open", s.Len())
	}
}

func TestEventsForStreamsThatAreGoneAreDropped(t *testing.T) {
	t.Parallel()
	s := NewStreams(stream.DefaultLimit(), func(string, master.StreamID) { t.Error("nobody was there") })
	s.Send("f1", "nope", &scheduler.Event{})
	s.Close("nope")
	events := s.begin("s1")
	s.Close("s1")
	if events.Send(&scheduler.Event{}) {
		t.Error("a closed stream took an event")
	}
	s.begin("s2")
	s.forget("s2")
	s.begin("s3")
	s.CloseAll()
	if s.Len() != 0 {
		t.Errorf("%d streams are open", s.Len())
	}
}
