package jsonwire

import (
	"errors"
	"fmt"
	"strconv"
)

// Limits bound what hostile input can cost.
type Limits struct {
	Depth    int // objects and arrays within one another
	Messages int // messages, map entries and strings of repeated fields: an empty one is two bytes of text, and much in memory
}

// A Decoder reads one JSON text. After the first error nothing more is read: every method returns
// its zero value.
type Decoder struct {
	data     []byte
	pos      int
	err      error
	limits   Limits
	depth    int
	messages int
	path     []step
	scratch  []byte
}

// step is one part of the path to where the decoder is.
type step struct {
	name  string
	index int // -1 when the field is not repeated
}

// Decode reads data, whole, with fill, which gets the decoder before the opening brace. Its error is a
// [*SyntaxError] or a [*ConversionError].
func Decode(data []byte, limits Limits, fill func(*Decoder)) error {
	d := &Decoder{data: data, limits: limits}
	if d.peek() != '{' {
		if err := Check(data, limits); err != nil {
			return err
		}
		return &ConversionError{Reason: "Expecting a JSON object"}
	}
	fill(d)
	d.end()
	var conversion *ConversionError
	if errors.As(d.err, &conversion) {
		// A text that is not JSON is told so, wherever it also does not fit.
		if err := Check(data, limits); err != nil {
			return err
		}
	}
	return d.err
}

// Check says what keeps data from being one JSON value.
func Check(data []byte, limits Limits) error {
	d := &Decoder{data: data, limits: limits}
	d.Skip()
	d.end()
	return d.err
}

func (d *Decoder) end() {
	if d.peek(); d.pos < len(d.data) {
		d.syntax("")
	}
}

// fail reports that the field does not take what stands there.
func (d *Decoder) fail(name, format string, args ...any) {
	if d.err != nil {
		return
	}
	path := d.at(name)
	d.err = &ConversionError{Path: path, Reason: fmt.Sprintf(format, args...) + " for field '" + path + "'"}
}

// at returns the dotted path of the current message's field name.
func (d *Decoder) at(name string) string {
	var b []byte
	for _, s := range d.path {
		b = append(b, s.name...)
		if s.index >= 0 {
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		}
		b = append(b, '.')
	}
	return string(append(b, name...))
}

// unexpected reports the kind of value that stands there, or that none does.
func (d *Decoder) unexpected(name string) {
	var kind string
	switch c := d.peek(); {
	case c == '"':
		kind = "string"
	case c == '{':
		kind = "object"
	case c == '[':
		kind = "array"
	case c == 't' || c == 'f':
		kind = "boolean"
	case c == '-' || '0' <= c && c <= '9':
		kind = "number"
	default:
		d.syntax("")
		return
	}
	d.fail(name, "Not expecting a JSON %s", kind)
}

func (d *Decoder) enter() bool {
	d.depth++
	if d.depth > d.limits.Depth && d.err == nil {
		d.err = &ConversionError{Reason: fmt.Sprintf("Nested deeper than %d", d.limits.Depth)}
	}
	return d.err == nil
}

// An Object walks over the fields of one JSON object.
type Object struct {
	d      *Decoder
	opened bool
	key    []byte
}

// Object begins the object that must stand next.
func (d *Decoder) Object() Object { return Object{d: d} }

// Next moves to the next field, whose value the caller then reads or skips.
func (o *Object) Next() bool {
	d := o.d
	if d.err != nil {
		return false
	}
	c := d.peek()
	switch {
	case !o.opened && c == '{':
		o.opened = true
		d.pos++
		if !d.enter() {
			return false
		}
		if d.peek() != '}' {
			return o.name()
		}
		fallthrough
	case o.opened && c == '}':
		d.pos++
		d.depth--
		return false
	case o.opened && c == ',':
		d.pos++
		return o.name()
	}
	d.syntax("")
	return false
}

func (o *Object) name() bool {
	o.key = o.d.text()
	if o.d.err == nil && o.d.peek() == ':' {
		o.d.pos++
		return true
	}
	o.d.syntax("")
	return false
}

// Name returns the field's name. It is good until its value is read.
func (o *Object) Name() []byte { return o.key }

// An Array walks over the values of a repeated field. As in Mesos, a value that is not an array
// counts as an array of one, and null as an empty one.
type Array struct {
	d     *Decoder
	state arrayState
}

type arrayState int

const (
	arrayBefore arrayState = iota
	arrayOpen
	arrayOver
)

// Array begins the repeated field that stands next.
func (d *Decoder) Array() Array { return Array{d: d} }

// Next moves to the next element that is not null.
func (a *Array) Next() bool {
	for a.advance() {
		if !a.d.null() {
			return a.d.err == nil
		}
	}
	return false
}

func (a *Array) advance() bool {
	d := a.d
	if d.err != nil || a.state == arrayOver {
		return false
	}
	c := d.peek()
	switch {
	case a.state == arrayBefore && c != '[':
		a.state = arrayOver
		return true
	case a.state == arrayBefore:
		a.state = arrayOpen
		d.pos++
		if !d.enter() {
			return false
		}
		if d.peek() != ']' {
			return true
		}
		fallthrough
	case c == ']':
		a.state = arrayOver
		d.pos++
		d.depth--
		return false
	case c == ',':
		d.pos++
		return true
	}
	d.syntax("")
	return false
}

// Skip reads over a value of any kind.
func (d *Decoder) Skip() {
	if d.err != nil {
		return
	}
	switch c := d.peek(); {
	case c == '"':
		d.text()
	case c == '{':
		for o := d.Object(); o.Next(); {
			d.Skip()
		}
	case c == '[':
		for a := d.Array(); a.advance(); {
			d.Skip()
		}
	case c == 't':
		d.literal("true")
	case c == 'f':
		d.literal("false")
	case c == 'n':
		d.literal("null")
	default:
		d.number()
	}
}
