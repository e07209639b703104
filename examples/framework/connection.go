package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// maxEvent bounds one event, in bytes.
const maxEvent = 16 << 20

// connection speaks the scheduler API with one master.
type connection struct {
	url       string
	media     string
	marshal   func(proto.Message) ([]byte, error)
	unmarshal func([]byte, proto.Message) error
	// stream is the Mesos-Stream-Id of the subscription; every later call carries it.
	stream string
}

func newConnection(master string, protobuf bool) (*connection, error) {
	u, err := address.Parse(master, "http")
	if err != nil {
		return nil, fmt.Errorf("--master: %w", err)
	}
	c := &connection{url: u.String() + "/api/v1/scheduler", media: "application/json", marshal: mesosjson.Marshal, unmarshal: mesosjson.Unmarshal}
	if protobuf {
		c.media, c.marshal, c.unmarshal = "application/x-protobuf", proto.Marshal, proto.Unmarshal
	}
	return c, nil
}

// subscribe opens the event stream.
func (c *connection) subscribe(ctx context.Context, call *scheduler.Call) (*events, error) {
	resp, err := c.post(ctx, call)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	c.stream = resp.Header.Get("Mesos-Stream-Id")
	return &events{body: resp.Body, records: recordio.NewReader(resp.Body, maxEvent), unmarshal: c.unmarshal}, nil
}

// send makes any other call. The master answers 202: what comes of the call is told by events.
func (c *connection) send(ctx context.Context, call *scheduler.Call) error {
	resp, err := c.post(ctx, call)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return refusal(resp)
	}
	return nil
}

func (c *connection) post(ctx context.Context, call *scheduler.Call) (*http.Response, error) {
	body, err := c.marshal(call)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call.GetType(), err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", c.media)
	req.Header.Set("Accept", c.media)
	if c.stream != "" {
		req.Header.Set("Mesos-Stream-Id", c.stream)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call.GetType(), err)
	}
	return resp, nil
}

func refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return errors.Join(fmt.Errorf("the master answered %s: %s", resp.Status, text), err)
}

// events is an open event stream.
type events struct {
	body      io.Closer
	records   *recordio.Reader
	unmarshal func([]byte, proto.Message) error
}

// next waits for the next event.
func (e *events) next() (*scheduler.Event, error) {
	record, err := e.records.Next()
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	event := &scheduler.Event{}
	if err := e.unmarshal(record, event); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return event, nil
}
