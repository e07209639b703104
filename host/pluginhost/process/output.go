package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxLine is how much of a line is kept, in bytes. What is beyond it is read, counted and thrown away, so
// that a plugin can neither block on a full pipe nor fill the host's memory.
const maxLine = 64 << 10

// Lines cuts what is written to it into lines and hands each to a function, which must not keep it. It is
// an io.Writer that never fails, safe for concurrent use.
type Lines struct {
	emit func(line []byte)

	mu      sync.Mutex
	pending []byte
	cut     int
}

// NewLines makes a Lines.
func NewLines(emit func(line []byte)) *Lines { return &Lines{emit: emit} }

// Write takes bytes in.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.add(p)
			return n, nil
		}
		l.add(p[:i])
		l.flush()
		p = p[i+1:]
	}
}

// Close hands over a last line that has no end.
func (l *Lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		l.flush()
	}
	return nil
}

func (l *Lines) add(p []byte) {
	room := max(0, maxLine-len(l.pending))
	if len(p) > room {
		l.cut += len(p) - room
		p = p[:room]
	}
	l.pending = append(l.pending, p...)
}

func (l *Lines) flush() {
	if l.cut > 0 {
		l.pending = fmt.Appendf(l.pending, " (%d more bytes were cut off)", l.cut)
	}
	l.emit(bytes.TrimSuffix(l.pending, []byte("\r")))
	l.cut = 0
	if cap(l.pending) > maxLine/4 {
		l.pending = nil
	} else {
		l.pending = l.pending[:0]
	}
}

// firstLine passes the first line on to one writer, and gives what follows to another.
type firstLine struct {
	first io.Writer
	rest  io.Writer
	sent  int
	done  bool
}

// maxFirst bounds the first line; the longest real one holds a certificate.
const maxFirst = 16 << 10

func (f *firstLine) Write(p []byte) (int, error) {
	n := len(p)
	if !f.done {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			end = min(len(p), maxFirst-f.sent)
		}
		_, _ = f.first.Write(p[:end])
		f.sent += end
		f.done = f.sent >= maxFirst || (end > 0 && p[end-1] == '\n')
		if f.done && (end == 0 || p[end-1] != '\n') {
			_, _ = f.first.Write([]byte{'\n'})
		}
		p = p[end:]
	}
	if len(p) > 0 {
		_, _ = f.rest.Write(p)
	}
	return n, nil
}

// drain reads until the end, or until a deadline set on the reader passes.
func drain(from io.Reader, to io.Writer) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

var errNotStarted = errors.New("the process was not started")
