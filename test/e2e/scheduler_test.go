//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

const schedulerPath = "/api/v1/scheduler"

// codec is one of the two encodings of the API.
type codec struct {
	media     string
	marshal   func(proto.Message) ([]byte, error)
	unmarshal func([]byte, proto.Message) error
}

var (
	inJSON     = codec{"application/json", mesosjson.Marshal, mesosjson.Unmarshal}
	inProtobuf = codec{"application/x-protobuf", proto.Marshal, proto.Unmarshal}
)

// framework is a scheduler of the tests' own. It takes note of every event and acknowledges updates.
type framework struct {
	t       *testing.T
	codec   codec
	address string
	info    *mesos.FrameworkInfo
	login   login
	silent  bool // updates are not acknowledged
	aside   bool // offers are declined
	// constraints and suppressed roles go with the subscription.
	constraints *scheduler.OfferConstraints
	suppressed  []string

	mu      sync.Mutex
	stream  string
	cancel  context.CancelFunc
	id      *mesos.FrameworkID
	events  []*scheduler.Event // since the last SUBSCRIBE
	updates map[string][]*mesos.TaskStatus
	offers  []*mesos.Offer // those that are good
	closed  error          // why the stream has ended, nil while it is open
}

// option changes a framework before it subscribes.
type option func(*framework)

func speaking(c codec) option { return func(f *framework) { f.codec = c } }

// with sets more of the FrameworkInfo.
func with(change func(*mesos.FrameworkInfo)) option {
	return func(f *framework) { change(f.info) }
}

func capable(types ...mesos.FrameworkInfo_Capability_Type) option {
	return with(func(i *mesos.FrameworkInfo) {
		for _, c := range types {
			i.Capabilities = append(i.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
		}
	})
}

func notAcknowledging(f *framework) { f.silent = true }

// newFramework prepares a framework that tells partitions apart, checkpoints, and may be away for a minute.
func newFramework(t *testing.T, c *cluster, options ...option) *framework {
	f := &framework{
		t: t, codec: inJSON, address: c.address, updates: map[string][]*mesos.TaskStatus{},
		info: &mesos.FrameworkInfo{
			User: proto.String("root"), Name: proto.String(t.Name()), FailoverTimeout: proto.Float64(60), Checkpoint: proto.Bool(true),
		},
	}
	capable(mesos.FrameworkInfo_Capability_PARTITION_AWARE)(f)
	for _, o := range options {
		o(f)
	}
	return f
}

// subscribe starts a framework. Its stream is closed at the end of the test.
func subscribe(t *testing.T, c *cluster, options ...option) *framework {
	t.Helper()
	f := newFramework(t, c, options...)
	f.mustSubscribe()
	return f
}

func (f *framework) mustSubscribe() {
	f.t.Helper()
	if err := f.subscribe(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(f.disconnect)
}

// subscribe opens the event stream, with the framework's id if it has one, and waits for SUBSCRIBED.
func (f *framework) subscribe() error {
	ctx, cancel := context.WithCancel(context.Background())
	f.mu.Lock()
	info := proto.CloneOf(f.info)
	info.Id = f.id
	f.mu.Unlock()
	resp, err := f.post(ctx, &scheduler.Call{
		FrameworkId: info.Id, Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{
			FrameworkInfo: info, OfferConstraints: f.constraints, SuppressedRoles: f.suppressed,
		},
	}, "")
	if err != nil {
		cancel()
		return err
	}
	if resp.StatusCode != http.StatusOK {
		defer cancel()
		return refusal("SUBSCRIBE", resp)
	}
	f.mu.Lock()
	if f.cancel != nil {
		f.cancel()
	}
	f.stream, f.cancel = resp.Header.Get("Mesos-Stream-Id"), cancel
	f.events, f.offers, f.closed = nil, nil, nil
	f.mu.Unlock()
	records := recordio.NewReader(resp.Body, 16<<20)
	first, err := f.next(records)
	if err == nil && first.GetType() != scheduler.Event_SUBSCRIBED {
		err = fmt.Errorf("the first event is %s: %s", first.GetType(), first.GetError().GetMessage())
	}
	if err != nil {
		cancel()
		return errors.Join(err, resp.Body.Close())
	}
	f.take(first)
	go f.read(resp.Body, records, f.stream)
	return nil
}

// refusalError is an answer that was not hoped for.
type refusalError struct {
	call string
	reply
}

func (e *refusalError) Error() string { return fmt.Sprintf("%s: %d %s", e.call, e.status, e.body) }

func refusal(call string, resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return errors.Join(&refusalError{call, reply{resp.StatusCode, resp.Header, string(text)}}, err)
}

func (f *framework) next(records *recordio.Reader) (*scheduler.Event, error) {
	record, err := records.Next()
	if err != nil {
		return nil, err
	}
	e := &scheduler.Event{}
	return e, f.codec.unmarshal(record, e)
}

func (f *framework) read(body io.Closer, records *recordio.Reader, stream string) {
	defer body.Close()
	for {
		e, err := f.next(records)
		if err != nil {
			f.mu.Lock()
			if f.stream == stream {
				f.closed = err
			}
			f.mu.Unlock()
			return
		}
		f.take(e)
	}
}

// take takes note of an event.
func (f *framework) take(e *scheduler.Event) {
	f.mu.Lock()
	f.events = append(f.events, e)
	status := e.GetUpdate().GetStatus()
	switch e.GetType() {
	case scheduler.Event_SUBSCRIBED:
		f.id = e.GetSubscribed().GetFrameworkId()
	case scheduler.Event_OFFERS:
		f.offers = append(f.offers, e.GetOffers().GetOffers()...)
	case scheduler.Event_RESCIND:
		f.drop(e.GetRescind().GetOfferId().GetValue())
	case scheduler.Event_UPDATE:
		id := status.GetTaskId().GetValue()
		f.updates[id] = append(f.updates[id], status)
	}
	silent, aside := f.silent, f.aside
	f.mu.Unlock()
	if aside {
		f.declineAll()
	}
	if status != nil && len(status.GetUuid()) > 0 && !silent {
		// A master that has gone, or cannot take it now, sends the update again.
		_ = f.acknowledge(status)
	}
}

// drop forgets an offer. The caller holds the lock.
func (f *framework) drop(id string) {
	for i, o := range f.offers {
		if o.GetId().GetValue() == id {
			f.offers = append(f.offers[:i:i], f.offers[i+1:]...)
			return
		}
	}
}

func (f *framework) post(ctx context.Context, call *scheduler.Call, stream string) (*http.Response, error) {
	body, err := f.codec.marshal(call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.address+schedulerPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", f.codec.media)
	req.Header.Set("Accept", f.codec.media)
	if stream != "" {
		req.Header.Set("Mesos-Stream-Id", stream)
	}
	if f.login.principal != "" {
		req.SetBasicAuth(f.login.principal, f.login.secret)
	}
	return http.DefaultClient.Do(req)
}

// send makes a call other than SUBSCRIBE. Its error is a *refusalError when the answer is not 202.
func (f *framework) send(call *scheduler.Call) error {
	f.mu.Lock()
	call.FrameworkId = f.id
	stream := f.stream
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := f.post(ctx, call, stream)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return refusal(call.GetType().String(), resp)
	}
	return resp.Body.Close()
}

func (f *framework) mustSend(call *scheduler.Call) {
	f.t.Helper()
	if err := f.send(call); err != nil {
		f.t.Fatal(err)
	}
}

// disconnect closes the event stream without a word.
func (f *framework) disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		f.cancel()
	}
}
