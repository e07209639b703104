// Package document writes the JSON documents of Mesos's legacy endpoints: members in a given order, doubles
// always with a fraction, no white space. A document goes out piece by piece, so that a state of any size needs
// little memory.
//
// It imports sdk/mesos/mesosjson, for wire messages inside a document, and nothing else of ours.
package document

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
)

// flushAt is how many bytes are gathered before they are written.
const flushAt = 32 << 10

// Writer writes one document. Values take the key of the member they are; within a list, and for the document's
// outermost value, the key is empty. The first error stops all output and is returned by Close.
type Writer struct {
	w   io.Writer
	buf []byte
	err error
}

// NewWriter returns a Writer to w. Close must be called at the end.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, buf: make([]byte, 0, flushAt+4<<10)} }

// Every value is followed by a comma, which closing an object or a list replaces.

// Begin opens an object.
func (d *Writer) Begin(key string) { d.open(key, '{') }

// End closes the object opened last.
func (d *Writer) End() { d.close('}') }

// BeginList opens a list.
func (d *Writer) BeginList(key string) { d.open(key, '[') }

// EndList closes the list opened last.
func (d *Writer) EndList() { d.close(']') }

// Str writes a string.
func (d *Writer) Str(key, v string) {
	d.key(key)
	d.buf = AppendString(d.buf, v)
	d.next()
}

// Num writes a number, always with a fraction.
func (d *Writer) Num(key string, v float64) {
	d.key(key)
	d.buf = AppendDouble(d.buf, v)
	d.next()
}

// Int writes a whole number, without a fraction.
func (d *Writer) Int(key string, v int64) {
	d.key(key)
	d.buf = strconv.AppendInt(d.buf, v, 10)
	d.next()
}

// Bool writes a boolean.
func (d *Writer) Bool(key string, v bool) {
	d.key(key)
	d.buf = strconv.AppendBool(d.buf, v)
	d.next()
}

// Strs writes a list of strings.
func (d *Writer) Strs(key string, vs []string) {
	d.BeginList(key)
	for _, v := range vs {
		d.Str("", v)
	}
	d.EndList()
}

// Proto writes a message in Mesos's JSON dialect.
func (d *Writer) Proto(key string, m proto.Message) {
	d.key(key)
	var err error
	if d.buf, err = mesosjson.Append(d.buf, m); err != nil && d.err == nil {
		d.err = err
	}
	d.next()
}

// Close writes what is left and returns the first error.
func (d *Writer) Close() error { return d.CloseWith("") }

// CloseWith writes what is left and a text after it, and returns the first error.
func (d *Writer) CloseWith(tail string) error {
	if n := len(d.buf); n > 0 && d.buf[n-1] == ',' {
		d.buf = d.buf[:n-1]
	}
	d.buf = append(d.buf, tail...)
	d.flush(len(d.buf))
	return d.err
}

// Before writes a text that is not JSON ahead of the document, such as the name of a JSONP callback.
func (d *Writer) Before(text string) { d.buf = append(d.buf, text...) }

func (d *Writer) open(key string, bracket byte) {
	d.key(key)
	d.buf = append(d.buf, bracket)
}

func (d *Writer) close(bracket byte) {
	if last := len(d.buf) - 1; d.buf[last] == ',' {
		d.buf[last] = bracket
	} else {
		d.buf = append(d.buf, bracket)
	}
	d.next()
}

func (d *Writer) key(key string) {
	if key != "" {
		d.buf = append(AppendString(d.buf, key), ':')
	}
}

// next ends a value. What is gathered is written from time to time, save for the comma, which may yet go.
func (d *Writer) next() {
	d.buf = append(d.buf, ',')
	if len(d.buf) > flushAt {
		d.flush(len(d.buf) - 1)
	}
}

func (d *Writer) flush(n int) {
	if d.err == nil {
		_, d.err = d.w.Write(d.buf[:n])
	}
	d.buf = append(d.buf[:0], d.buf[n:]...)
}

// AppendDouble appends v with as few digits as give it back, and a fraction: 64.0, 0.1. What JSON has no number
// for is a string: "Infinity", "-Infinity", "NaN".
func AppendDouble(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// AppendString appends v as a JSON string. Text that needs no escapes, which is nearly all, is copied.
func AppendString(b []byte, v string) []byte {
	if plain(v) {
		b = append(b, '"')
		b = append(b, v...)
		return append(b, '"')
	}
	text, err := json.Marshal(v)
	if err != nil { // a string can always be marshalled
		return append(b, `""`...)
	}
	return append(b, text...)
}

func plain(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
