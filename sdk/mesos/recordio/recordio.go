// Package recordio frames messages the way Mesos's event streams do: each record is its length in
// bytes as a decimal number, a newline, and the body.
//
// It imports the standard library alone.
package recordio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// ErrTooLarge is returned for a record whose length is above the reader's bound.
var ErrTooLarge = errors.New("record too large")

// ErrMalformed is returned for a stream that does not hold a length where one is due.
var ErrMalformed = errors.New("malformed record")

// maxDigits bounds the length's text: 18 digits always fit an int64.
const maxDigits = 18

// Append appends body, framed as one record, to dst.
func Append(dst, body []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, '\n')
	return append(dst, body...)
}

// A Writer frames records onto a stream. It is safe for concurrent use: records never interleave.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewWriter returns a writer of records to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes body as one record with a single call of the underlying Write, because clients exist
// that hang when the length and the body arrive in HTTP chunks of their own. It does not flush.
// It returns len(body) when the whole record was written.
func (w *Writer) Write(body []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = Append(w.buf[:0], body)
	n, err := w.w.Write(w.buf)
	head := len(w.buf) - len(body)
	if cap(w.buf) > keptBuffer {
		w.buf = nil
	}
	n = max(n-head, 0)
	if err != nil {
		return n, fmt.Errorf("write record: %w", err)
	}
	if n < len(body) {
		return n, fmt.Errorf("write record: %w", io.ErrShortWrite)
	}
	return n, nil
}

// keptBuffer is the most, in bytes, that a Writer or Reader keeps between records, so that one large
// record does not hold its memory for as long as the stream lives.
const keptBuffer = 256 << 10

// A Reader takes records off a stream. It is for one goroutine at a time.
type Reader struct {
	r   *bufio.Reader
	max int64
	buf []byte
	err error
}

// NewReader returns a reader of records from r that refuses records longer than maxRecord bytes.
func NewReader(r io.Reader, maxRecord int) *Reader {
	return &Reader{r: bufio.NewReader(r), max: int64(maxRecord)}
}

// Next returns the next record's body, which is valid until the following call. At the end of the
// stream it returns [io.EOF]; a stream that ends within a record gives [io.ErrUnexpectedEOF], and a
// malformed or oversized one [ErrMalformed] or [ErrTooLarge]. After an error the stream's position is
// lost, so every further call returns the same error.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	body, err := r.next()
	if err != nil {
		r.err, r.buf = err, nil
		return nil, err
	}
	return body, nil
}

func (r *Reader) next() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	if n > r.max {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, r.max)
	}
	return r.body(int(n))
}

// length reads the decimal length and its newline.
func (r *Reader) length() (int64, error) {
	var n int64
	for digits := 0; ; digits++ {
		c, err := r.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && digits == 0:
			return 0, io.EOF
		case errors.Is(err, io.EOF):
			return 0, fmt.Errorf("read record length: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return 0, fmt.Errorf("read record length: %w", err)
		case c == '\n' && digits > 0:
			return n, nil
		case c < '0' || c > '9':
			return 0, fmt.Errorf("%w: %q where a decimal length was expected", ErrMalformed, c)
		case digits == maxDigits:
			return 0, fmt.Errorf("%w: length of more than %d digits", ErrMalformed, maxDigits)
		}
		n = n*10 + int64(c-'0')
	}
}

// body reads n bytes. The buffer grows with what arrives, not with what was announced, so that a peer
// cannot make us allocate by words alone.
func (r *Reader) body(n int) ([]byte, error) {
	if cap(r.buf) > keptBuffer {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		step := min(n-len(r.buf), max(len(r.buf), 4<<10))
		start := len(r.buf)
		r.buf = append(r.buf, make([]byte, step)...)
		if _, err := io.ReadFull(r.r, r.buf[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read record body: %w", err)
		}
	}
	return r.buf, nil
}
