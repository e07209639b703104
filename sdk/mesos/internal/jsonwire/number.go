package jsonwire

import (
	"bytes"
	"math"
	"strconv"
)

func (d *Decoder) doubleValue(name string) float64 {
	switch c := d.peek(); {
	case c == '"':
		return d.doubleText(name)
	case c != '-' && (c < '0' || c > '9'):
		d.unexpected(name)
		return 0
	}
	tok, _ := d.number()
	return d.float(name, tok)
}

func (d *Decoder) doubleText(name string) float64 {
	switch string(d.text()) {
	case "Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	case "NaN":
		return math.NaN()
	}
	d.fail(name, "Not expecting a JSON string")
	return 0
}

func (d *Decoder) float(name string, tok []byte) float64 {
	if d.err != nil {
		return 0
	}
	v, err := strconv.ParseFloat(string(tok), 64)
	if err != nil {
		d.fail(name, "Number out of range")
	}
	return v
}

// integerText returns the text of the integer that stands next. A number with a fraction or an
// exponent (clients write 3.6e+06) is cut off towards zero, as Mesos does, and then returned as a
// float too.
func (d *Decoder) integerText(name string, quoted bool) (tok []byte, cut float64, isCut bool) {
	c := d.peek()
	switch {
	case c == '"' && quoted:
		tok = d.text()
		if !isInteger(tok) {
			d.fail(name, "Not expecting a JSON string")
		}
		return tok, 0, false
	case c != '-' && (c < '0' || c > '9'):
		d.unexpected(name)
		return nil, 0, false
	}
	tok, integer := d.number()
	if integer || d.err != nil {
		return tok, 0, false
	}
	if i := bytes.IndexByte(tok, '.'); i > 0 && len(bytes.Trim(tok[i+1:], "0")) == 0 {
		return tok[:i], 0, false // 1795233158917677568.0 loses nothing
	}
	return nil, math.Trunc(d.float(name, tok)), true
}

func isInteger(tok []byte) bool {
	if len(tok) > 0 && tok[0] == '-' {
		tok = tok[1:]
	}
	return len(tok) > 0 && len(bytes.Trim(tok, "0123456789")) == 0
}

func (d *Decoder) signed(name string, low, high int64, quoted bool) int64 {
	tok, cut, isCut := d.integerText(name, quoted)
	if d.err != nil {
		return 0
	}
	var v int64
	var err error
	if isCut {
		// float64(high) rounds up to 2^63 for an int64, which is the first value too large.
		if cut < float64(low) || cut > float64(high) || cut >= 1<<63 {
			d.fail(name, "Number out of range")
			return 0
		}
		return int64(cut)
	}
	if v, err = strconv.ParseInt(string(tok), 10, 64); err != nil || v < low || v > high {
		d.fail(name, "Number out of range")
		return 0
	}
	return v
}

func (d *Decoder) unsigned(name string, high uint64, quoted bool) uint64 {
	tok, cut, isCut := d.integerText(name, quoted)
	if d.err != nil {
		return 0
	}
	if isCut {
		if cut < 0 || cut > float64(high) || cut >= 1<<64 {
			d.fail(name, "Number out of range")
			return 0
		}
		return uint64(cut)
	}
	if string(tok) == "-0" {
		return 0
	}
	v, err := strconv.ParseUint(string(tok), 10, 64)
	if err != nil || v > high {
		d.fail(name, "Number out of range")
		return 0
	}
	return v
}
