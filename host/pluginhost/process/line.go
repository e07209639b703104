package process

import (
	"io"
	"sync"
)

// lineBuffer carries a plugin's first line to whoever reads it. Writing never waits, since there may be no
// reader; there is little to write.
type lineBuffer struct {
	mu      sync.Mutex
	data    []byte
	closed  bool
	changed chan struct{} // closed at the next change
}

func newLineBuffer() *lineBuffer { return &lineBuffer{changed: make(chan struct{})} }

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	b.notify()
	return len(p), nil
}

// Read waits for data or for end.
func (b *lineBuffer) Read(p []byte) (int, error) {
	for {
		b.mu.Lock()
		if len(b.data) > 0 {
			n := copy(p, b.data)
			b.data = b.data[n:]
			b.mu.Unlock()
			return n, nil
		}
		closed, changed := b.closed, b.changed
		b.mu.Unlock()
		if closed {
			return 0, io.EOF
		}
		<-changed
	}
}

// Close makes reads end once everything was read.
func (b *lineBuffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.notify()
	return nil
}

func (b *lineBuffer) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}
