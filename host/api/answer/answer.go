// Package answer connects those who wait for the outcome of an event with the state machine's replies.
//
// It imports host/master for the replies' type.
package answer

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// Desk hands out reply ids and passes replies on. It is safe for concurrent use.
type Desk struct {
	mu      sync.Mutex
	next    master.ReplyID
	waiting map[master.ReplyID]chan master.Reply
}

// NewDesk returns a Desk at which nobody waits.
func NewDesk() *Desk { return &Desk{waiting: map[master.ReplyID]chan master.Reply{}} }

// Ticket is one who waits.
type Ticket struct {
	// ID goes into the event.
	ID    master.ReplyID
	desk  *Desk
	reply chan master.Reply
}

// Take returns a ticket. Drop must be called on it.
func (d *Desk) Take() *Ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	t := &Ticket{ID: d.next, desk: d, reply: make(chan master.Reply, 1)}
	d.waiting[t.ID] = t.reply
	return t
}

// Reply passes a reply on. It never waits, and nobody waiting any more is no error.
func (d *Desk) Reply(r master.Reply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.waiting[r.ID]; ok {
		delete(d.waiting, r.ID)
		c <- r
	}
}

// Wait returns nil for a reply of success, an *endpoint.Error for another one, or ctx's error.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case r := <-t.reply:
		return failure(r)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drop forgets the ticket.
func (t *Ticket) Drop() {
	t.desk.mu.Lock()
	defer t.desk.mu.Unlock()
	delete(t.desk.waiting, t.ID)
}

// failure turns a reply into an HTTP answer.
func failure(r master.Reply) error {
	switch r.Code {
	case master.ReplyOK:
		return nil
	case master.ReplyInvalid:
		return endpoint.BadRequest("%s", r.Message)
	case master.ReplyForbidden:
		return endpoint.Errorf(http.StatusForbidden, "%s", r.Message)
	case master.ReplyNotFound:
		return endpoint.Errorf(http.StatusNotFound, "%s", r.Message)
	case master.ReplyConflict:
		return endpoint.Errorf(http.StatusConflict, "%s", r.Message)
	}
	return endpoint.Unavailable(2*time.Second, "%s", r.Message)
}
