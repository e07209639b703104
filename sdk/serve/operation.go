package serve

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk"
)

const (
	maxOperations     = 4096
	maxOperationBytes = 16 << 20
	maxOperationID    = 128
)

// operations remembers the answers of operations, so that a repeat does nothing and gets the first answer.
// Errors that may pass are not remembered. What is oldest is forgotten first.
type operations struct {
	mu    sync.Mutex
	all   map[string]*operation
	order []string // of those that have ended, the oldest first
	bytes int
}

type operation struct {
	done chan struct{} // closed when resp and err are set
	resp proto.Message
	err  error
}

func newOperations() *operations { return &operations{all: map[string]*operation{}} }

// once runs do, unless the operation of that method and id has been run or is running.
func once[R proto.Message](ctx context.Context, o *operations, method, id string, do func() (R, error)) (R, error) {
	var none R
	if id == "" || len(id) > maxOperationID {
		return none, status.Errorf(codes.InvalidArgument, "operation_id has %d bytes, and should have 1 to %d", len(id), maxOperationID)
	}
	key := method + " " + id
	for {
		op, first := o.begin(key)
		if first {
			return runOperation(o, key, op, do)
		}
		select {
		case <-op.done:
		case <-ctx.Done():
			return none, ctx.Err()
		}
		if remembered(op.err) {
			resp, _ := op.resp.(R)
			return resp, op.err
		}
	}
}

// remembered tells whether a repeat gets the same error.
func remembered(err error) bool {
	code := sdk.CodeOf(err)
	return err == nil || (code.Final() && code != sdk.Unknown)
}

func (o *operations) begin(key string) (op *operation, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if op, found := o.all[key]; found {
		return op, false
	}
	op = &operation{done: make(chan struct{})}
	o.all[key] = op
	return op, true
}

func runOperation[R proto.Message](o *operations, key string, op *operation, do func() (R, error)) (R, error) {
	op.err = sdk.Errorf(sdk.Unknown, "the operation panicked")
	defer o.end(key, op) // also when do panics
	resp, err := do()
	op.err = err
	if err == nil {
		op.resp = resp
	}
	return resp, err
}

func (o *operations) end(key string, op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(op.done)
	if !remembered(op.err) {
		delete(o.all, key)
		return
	}
	o.order = append(o.order, key)
	o.bytes += op.size()
	for len(o.order) > maxOperations || (o.bytes > maxOperationBytes && len(o.order) > 1) {
		o.bytes -= o.all[o.order[0]].size()
		delete(o.all, o.order[0])
		o.order = o.order[1:]
	}
}

func (op *operation) size() int {
	if op.resp == nil {
		return 0
	}
	return proto.Size(op.resp)
}
