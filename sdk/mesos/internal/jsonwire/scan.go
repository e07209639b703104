package jsonwire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// near is how much of the text, in bytes, a syntax error shows.
const nearBytes = 64

func (d *Decoder) syntax(reason string) {
	if d.err != nil {
		return
	}
	rest := d.data[d.pos:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[:min(len(rest), nearBytes)]
	d.err = &SyntaxError{
		Line:   1 + bytes.Count(d.data[:d.pos], []byte{'\n'}),
		Near:   string(bytes.ToValidUTF8(rest, []byte("\uFFFD"))),
		Reason: reason,
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (d *Decoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// literal consumes word where it must stand.
func (d *Decoder) literal(word string) bool {
	if d.err == nil && bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
		d.pos += len(word)
		return true
	}
	d.syntax("")
	return false
}

// null consumes a null, if the next value is one.
func (d *Decoder) null() bool {
	return d.peek() == 'n' && d.literal("null")
}

// text consumes a string and returns it without quotes and escapes. The result is good until the
// next call.
func (d *Decoder) text() []byte {
	if d.err != nil || d.peek() != '"' {
		d.syntax("")
		return nil
	}
	start := d.pos + 1
	for i := start; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			return d.data[start:i]
		case c == '\\' || c >= utf8.RuneSelf:
			return d.escapedText(start, i)
		case c < ' ':
			d.pos = i
			d.syntax("control character in a string")
			return nil
		}
	}
	d.pos = len(d.data)
	d.syntax("")
	return nil
}

// escapedText goes on with a string from i, where its first escape or first byte beyond ASCII is.
func (d *Decoder) escapedText(start, i int) []byte {
	out := append(d.scratch[:0], d.data[start:i]...)
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			d.pos, d.scratch = i+1, out
			return out
		case c < ' ':
			d.pos = i
			d.syntax("control character in a string")
			return nil
		case c == '\\':
			d.pos = i
			var ok bool
			if out, i, ok = d.escape(out, i+1); !ok {
				d.syntax("invalid escape")
				return nil
			}
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			_, size := utf8.DecodeRune(d.data[i:])
			if size == 1 {
				d.pos = i
				d.syntax("not UTF-8")
				return nil
			}
			out = append(out, d.data[i:i+size]...)
			i += size
		}
	}
	d.pos = len(d.data)
	d.syntax("")
	return nil
}

// escape appends what the escape means whose character after the backslash is at i, and returns
// where the text goes on.
func (d *Decoder) escape(out []byte, i int) ([]byte, int, bool) {
	if i >= len(d.data) {
		return out, i, false
	}
	switch c := d.data[i]; c {
	case '"', '\\', '/':
		return append(out, c), i + 1, true
	case 'b':
		return append(out, '\b'), i + 1, true
	case 'f':
		return append(out, '\f'), i + 1, true
	case 'n':
		return append(out, '\n'), i + 1, true
	case 'r':
		return append(out, '\r'), i + 1, true
	case 't':
		return append(out, '\t'), i + 1, true
	case 'u':
		return d.unicodeEscape(out, i+1)
	}
	return out, i, false
}

func (d *Decoder) unicodeEscape(out []byte, i int) ([]byte, int, bool) {
	r, ok := d.hex4(i)
	if !ok {
		return out, i, false
	}
	i += 4
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), i, true
	}
	if !bytes.HasPrefix(d.data[i:], []byte(`\u`)) {
		return out, i, false
	}
	low, ok := d.hex4(i + 2)
	r = utf16.DecodeRune(r, low)
	if !ok || r == utf8.RuneError {
		return out, i, false
	}
	return utf8.AppendRune(out, r), i + 6, true
}

func (d *Decoder) hex4(i int) (rune, bool) {
	if i+4 > len(d.data) {
		return 0, false
	}
	var r rune
	for _, c := range d.data[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number consumes a number and returns its text, and whether it is a plain integer.
func (d *Decoder) number() (tok []byte, integer bool) {
	start, i := d.pos, d.pos
	if i < len(d.data) && d.data[i] == '-' {
		i++
	}
	first := i
	i = d.digits(i)
	if i == first || (d.data[first] == '0' && i > first+1) {
		d.pos = first
		d.syntax("")
		return nil, false
	}
	integer = true
	if i < len(d.data) && d.data[i] == '.' {
		integer = false
		if i = d.fraction(i + 1); i < 0 {
			return nil, false
		}
	}
	if i < len(d.data) && (d.data[i] == 'e' || d.data[i] == 'E') {
		integer = false
		i++
		if i < len(d.data) && (d.data[i] == '+' || d.data[i] == '-') {
			i++
		}
		if i = d.fraction(i); i < 0 {
			return nil, false
		}
	}
	d.pos = i
	return d.data[start:i], integer
}

// fraction skips at least one digit from i, or returns -1.
func (d *Decoder) fraction(i int) int {
	if end := d.digits(i); end > i {
		return end
	}
	d.pos = i
	d.syntax("")
	return -1
}

func (d *Decoder) digits(i int) int {
	for i < len(d.data) && '0' <= d.data[i] && d.data[i] <= '9' {
		i++
	}
	return i
}
