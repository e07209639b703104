package client

import (
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

const (
	schedulerPath = "/api/v1/scheduler"
	streamHeader  = "Mesos-Stream-Id"
	// maxRecord is the longest event read, in bytes.
	maxRecord = 64 << 20
	// heartbeats is how many heartbeats may be missing before a stream counts as dead.
	heartbeats = 5
	// defaultHeartbeat is how often a master that does not say sends one.
	defaultHeartbeat = 15 * time.Second
)

// Scheduler is one subscription of a framework. Next is for one goroutine; Call may be used by others meanwhile.
type Scheduler struct {
	client    *Client
	framework *mesos.FrameworkID
	stream    string
	body      io.ReadCloser
	events    *recordio.Reader
	silence   time.Duration
	cancel    context.CancelFunc
}

// ErrStreamEnded says that the master has ended the event stream, or has become silent.
var ErrStreamEnded = errors.New("the master has ended the event stream")

// RefusedError is what a master has against a framework: an ERROR event.
type RefusedError struct{ Message string }

// Error is the master's message.
func (e *RefusedError) Error() string { return "the master refuses the framework: " + e.Message }

// Subscribe subscribes a framework, anew or, with an id in info, again, and returns when the master has accepted it.
// The stream ends with ctx or Close. A refusal is a *RefusedError.
func (c *Client) Subscribe(ctx context.Context, info *mesos.FrameworkInfo) (*Scheduler, error) {
	body, err := proto.Marshal(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.GetId(),
		Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	})
	if err != nil {
		return nil, fmt.Errorf("encode SUBSCRIBE: %w", err)
	}
	life, cancel := context.WithCancel(ctx)
	resp, err := c.do(life, request{method: http.MethodPost, path: schedulerPath, header: protobufHeader(), body: body})
	if err != nil {
		cancel()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		_, err := success(resp, http.StatusOK)
		return nil, err
	}
	s := &Scheduler{
		client: c, stream: resp.Header.Get(streamHeader), body: resp.Body, silence: heartbeats * defaultHeartbeat,
		events: recordio.NewReader(resp.Body, maxRecord), cancel: cancel,
	}
	if err := s.subscribed(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// subscribed reads the first event.
func (s *Scheduler) subscribed(ctx context.Context) error {
	event, err := s.Next(ctx)
	if err != nil {
		return err
	}
	if event.GetType() != scheduler.Event_SUBSCRIBED {
		return fmt.Errorf("the master answers SUBSCRIBE with %s", event.GetType())
	}
	s.framework = event.GetSubscribed().GetFrameworkId()
	if every := event.GetSubscribed().GetHeartbeatIntervalSeconds(); every > 0 {
		s.silence = time.Duration(heartbeats * every * float64(time.Second))
	}
	return nil
}

// Framework is the framework's id.
func (s *Scheduler) Framework() *mesos.FrameworkID { return s.framework }

// Close ends the stream.
func (s *Scheduler) Close() {
	s.cancel()
	_ = s.body.Close()
}

// Next returns the next event, heartbeats too. An ERROR event is a *RefusedError; the end of the stream, and silence
// for longer than a few heartbeats, are ErrStreamEnded.
func (s *Scheduler) Next(ctx context.Context) (*scheduler.Event, error) {
	silent := time.AfterFunc(s.silence, s.Close)
	defer silent.Stop()
	record, err := s.events.Next()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w (%w)", ErrStreamEnded, plainly(err))
	}
	event := &scheduler.Event{}
	if err := proto.Unmarshal(record, event); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	if event.GetType() == scheduler.Event_ERROR {
		return nil, &RefusedError{Message: event.GetError().GetMessage()}
	}
	return event, nil
}

// Call makes a call, whose framework id it sets. The error may be a *StatusError.
func (s *Scheduler) Call(ctx context.Context, call *scheduler.Call) error {
	call.FrameworkId = s.framework
	body, err := proto.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode %s: %w", call.GetType(), err)
	}
	header := protobufHeader()
	header.Set(streamHeader, s.stream)
	resp, err := s.client.do(ctx, request{method: http.MethodPost, path: schedulerPath, header: header, body: body})
	if err != nil {
		return err
	}
	if _, err := success(resp, http.StatusAccepted); err != nil {
		return fmt.Errorf("%s: %w", call.GetType(), err)
	}
	return nil
}

// Acknowledge acknowledges a status update, if it asks for that.
func (s *Scheduler) Acknowledge(ctx context.Context, status *mesos.TaskStatus) error {
	if len(status.GetUuid()) == 0 {
		return nil
	}
	return s.Call(ctx, &scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
	}})
}
