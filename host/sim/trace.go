package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
)

// tracer writes down all that happens: into a hash always, and for people where somebody reads it.
type tracer struct {
	w    *world
	sum  hash.Hash
	out  io.Writer // nil if nobody reads it
	line []byte
}

func newTracer(w *world, out io.Writer) *tracer {
	return &tracer{w: w, sum: sha256.New(), out: out}
}

// begin begins a line: who does what.
func (t *tracer) begin(who, what string) *tracer {
	t.line = strconv.AppendInt(t.line[:0], int64(t.w.now), 10)
	t.line = append(append(append(append(t.line, ' '), who...), ' '), what...)
	return t
}

func (t *tracer) str(key, value string) *tracer {
	if value != "" {
		t.line = append(append(append(append(t.line, ' '), key...), '='), value...)
	}
	return t
}

func (t *tracer) num(key string, value uint64) *tracer {
	t.line = append(append(append(t.line, ' '), key...), '=')
	t.line = strconv.AppendUint(t.line, value, 10)
	return t
}

func (t *tracer) dur(key string, value time.Duration) *tracer {
	t.line = append(append(append(t.line, ' '), key...), '=')
	t.line = append(t.line, value.String()...)
	return t
}

// data adds a digest of some bytes.
func (t *tracer) data(b []byte) *tracer {
	h := fnv.New64a()
	h.Write(b)
	t.line = append(t.line, " #"...)
	t.line = strconv.AppendUint(t.line, h.Sum64(), 36)
	return t
}

// message adds a digest of a message.
func (t *tracer) message(m proto.Message) *tracer { return t.data(encode(m)) }

// end ends the line.
func (t *tracer) end() {
	t.line = append(t.line, '\n')
	t.sum.Write(t.line)
	if t.out != nil {
		t.show()
	}
}

// note is a line that is not part of the hash's machines but of the world.
func (t *tracer) note(who, what, detail string) { t.begin(who, what).str("detail", detail).end() }

// show writes the line with a time that people can read.
func (t *tracer) show() {
	i := 0
	for i < len(t.line) && t.line[i] != ' ' {
		i++
	}
	fmt.Fprintf(t.out, "%5d %10.6f%s", t.w.steps, t.w.now.Seconds(), t.line[i:])
}

// hash is that of all lines so far.
func (t *tracer) hash() string { return hex.EncodeToString(t.sum.Sum(nil)) }

// encode encodes a message, the same way each time.
func encode(m proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil {
		panic("encode " + string(m.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
	return data
}

// decode decodes what encode made.
func decode[M any, P interface {
	*M
	proto.Message
}](data []byte) P {
	m := P(new(M))
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(data, m); err != nil {
		panic("decode " + string(m.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
	return m
}
