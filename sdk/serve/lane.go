package serve

import (
	"context"
	"errors"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk"
)

// lanes lets the operations on one container through one after the other. A host that gave up waiting for
// one sends the next while the first still runs.
type lanes struct {
	mu  sync.Mutex
	all map[string]*lane
}

type lane struct {
	turn chan struct{} // holds one element while nobody is in the lane
	refs int
}

func newLanes() *lanes { return &lanes{all: map[string]*lane{}} }

// enter waits for the container's lane and returns what leaves it.
func (l *lanes) enter(ctx context.Context, id string) (leave func(), err error) {
	l.mu.Lock()
	x, found := l.all[id]
	if !found {
		x = &lane{turn: make(chan struct{}, 1)}
		x.turn <- struct{}{}
		l.all[id] = x
	}
	x.refs++
	l.mu.Unlock()
	release := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if x.refs--; x.refs == 0 {
			delete(l.all, id)
		}
	}
	select {
	case <-x.turn:
		leave = func() { x.turn <- struct{}{}; release() }
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
	// An operation that the host has given up must not begin: what it sends next may have been done already.
	if err := ctx.Err(); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// inLane runs an operation on a container: once, and after the one before it.
func inLane[R proto.Message](
	ctx context.Context, s *isolatorServer, id, method, operation string, do func() (R, error),
) (R, error) {
	return once(ctx, s.operations, method, operation, func() (R, error) {
		var none R
		if err := checkID(id); err != nil {
			return none, err
		}
		leave, err := s.lanes.enter(ctx, id)
		if err != nil {
			return none, err
		}
		defer leave()
		return do()
	})
}

// checkID refuses what is no container id, so that plugins can use one as a file's name.
func checkID(id string) error {
	switch {
	case id == "":
		return sdk.Errorf(sdk.InvalidArgument, "the container has no id")
	case id == "." || id == ".." || strings.ContainsAny(id, "/\\\x00"):
		return sdk.Errorf(sdk.InvalidArgument, "%q is no container id: it is not safe as a file's name", id)
	default:
		return nil
	}
}

var errCleanedUp = errors.New("the container is cleaned up")

// watches ends the watches on a container when it is cleaned up.
type watches struct {
	mu  sync.Mutex
	all map[string]map[*context.CancelCauseFunc]struct{}
}

func newWatches() *watches {
	return &watches{all: map[string]map[*context.CancelCauseFunc]struct{}{}}
}

// begin is a context for a watch, and what ends it.
func (w *watches) begin(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[id] == nil {
		w.all[id] = map[*context.CancelCauseFunc]struct{}{}
	}
	w.all[id][&cancel] = struct{}{}
	return ctx, func() {
		cancel(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all[id], &cancel)
		if len(w.all[id]) == 0 {
			delete(w.all, id)
		}
	}
}

// end ends all watches on a container.
func (w *watches) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for cancel := range w.all[id] {
		(*cancel)(errCleanedUp)
	}
}
