package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// testScheduler is a framework that notes when what it sends and receives crosses the wire. It speaks protobuf.
type testScheduler struct {
	url    string
	stream string
	id     *mesos.FrameworkID
	events chan stamped
	body   io.Closer
}

// stamped is an event with the moment its bytes had been received.
type stamped struct {
	event *scheduler.Event
	at    time.Time
	err   error
}

func subscribe(ctx context.Context, master string) (*testScheduler, error) {
	s := &testScheduler{url: "http://" + master + "/api/v1/scheduler", events: make(chan stamped, 1<<16)}
	call := &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &mesos.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("bench"), FailoverTimeout: proto.Float64(60), Checkpoint: proto.Bool(true),
	}}}
	resp, err := s.post(ctx, call)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("SUBSCRIBE: %s: %s", resp.Status, text)
	}
	s.stream, s.body = resp.Header.Get("Mesos-Stream-Id"), resp.Body
	go s.read(resp.Body)
	e, err := s.next(ctx, scheduler.Event_SUBSCRIBED)
	if err != nil {
		return nil, err
	}
	s.id = e.event.GetSubscribed().GetFrameworkId()
	return s, nil
}

func (s *testScheduler) read(body io.Reader) {
	r := recordio.NewReader(body, 64<<20)
	for {
		record, err := r.Next()
		at := time.Now()
		if err != nil {
			s.events <- stamped{err: err}
			return
		}
		e := &scheduler.Event{}
		s.events <- stamped{event: e, at: at, err: proto.Unmarshal(record, e)}
	}
}

// next waits for an event of a type, acknowledging updates and declining nothing on the way.
func (s *testScheduler) next(ctx context.Context, want scheduler.Event_Type) (stamped, error) {
	for {
		select {
		case <-ctx.Done():
			return stamped{}, fmt.Errorf("wait for %s: %w", want, ctx.Err())
		case e := <-s.events:
			if e.err != nil {
				return e, fmt.Errorf("wait for %s: %w", want, e.err)
			}
			if e.event.GetType() == scheduler.Event_ERROR {
				return e, errors.New(e.event.GetError().GetMessage())
			}
			if e.event.GetType() == want {
				return e, nil
			}
		}
	}
}

func (s *testScheduler) post(ctx context.Context, call *scheduler.Call) (*http.Response, error) {
	call.FrameworkId = s.id
	body, err := proto.Marshal(call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Accept", "application/x-protobuf")
	if s.stream != "" {
		req.Header.Set("Mesos-Stream-Id", s.stream)
	}
	return http.DefaultClient.Do(req)
}

func (s *testScheduler) send(ctx context.Context, call *scheduler.Call) error {
	resp, err := s.post(ctx, call)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s: %s", call.GetType(), resp.Status, text)
	}
	return err
}

// launch accepts an offer with tasks; what is left comes back at once.
func (s *testScheduler) launch(ctx context.Context, offer *mesos.Offer, tasks []*mesos.TaskInfo) error {
	return s.send(ctx, &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{offer.Id},
		Operations: []*mesos.Offer_Operation{{
			Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks},
		}},
		Filters: &mesos.Filters{RefuseSeconds: proto.Float64(0)},
	}})
}

func (s *testScheduler) acknowledge(ctx context.Context, st *mesos.TaskStatus) error {
	if len(st.Uuid) == 0 {
		return nil
	}
	return s.send(ctx, &scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: st.AgentId, TaskId: st.TaskId, Uuid: st.Uuid,
	}})
}

// offer waits for an offer with room for n tasks, asking for one.
func (s *testScheduler) offer(ctx context.Context) (*mesos.Offer, error) {
	if err := s.send(ctx, &scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}); err != nil {
		return nil, err
	}
	e, err := s.next(ctx, scheduler.Event_OFFERS)
	if err != nil {
		return nil, err
	}
	return e.event.GetOffers().GetOffers()[0], nil
}

// close removes the framework.
func (s *testScheduler) close(ctx context.Context) error {
	return errors.Join(s.send(ctx, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()}), s.body.Close())
}

// task describes a command task of 0.1 cpus and 32 MB.
func task(id, command string, offer *mesos.Offer) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: offer.AgentId,
		Command:   &mesos.CommandInfo{Shell: proto.Bool(false), Value: proto.String(command)},
		Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
	}
}

func sleeper(id string, offer *mesos.Offer) *mesos.TaskInfo {
	t := task(id, "/bin/sleep", offer)
	t.Command.Arguments = []string{"sleep", "100000"}
	return t
}

func scalar(name string, v float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
}
