package jsonwire

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
)

// A value is written with a comma after it; closing an object or array replaces the last one. That
// keeps the generated code free of "is this the first field" branches.

// EndObject closes the object at the end of b.
func EndObject(b []byte) []byte { return end(b, '}') }

// EndArray closes the array at the end of b.
func EndArray(b []byte) []byte { return end(b, ']') }

func end(b []byte, c byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b[last] = c
		return b
	}
	return append(b, c)
}

// AppendBool appends v.
func AppendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// AppendInt appends v as a bare number, also beyond 2^53.
func AppendInt[T int32 | int64](b []byte, v T) []byte { return strconv.AppendInt(b, int64(v), 10) }

// AppendUint appends v as a bare number, also beyond 2^53.
func AppendUint[T uint32 | uint64](b []byte, v T) []byte { return strconv.AppendUint(b, uint64(v), 10) }

// AppendBytes appends v in standard, padded base64.
func AppendBytes(b []byte, v []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

// AppendDouble appends v with as few digits as give it back, and always with a fraction (64.0) or,
// from 1e21 up and below 1e-6, with an exponent (1e21). What JSON has no number for is a string:
// "Infinity", "-Infinity", "NaN".
func AppendDouble(b []byte, v float64) []byte {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return appendExponent(b, v)
	case abs < 1<<53 && v == math.Trunc(v) && (v != 0 || !math.Signbit(v)):
		b = strconv.AppendInt(b, int64(v), 10)
		return append(b, ".0"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	for _, c := range b[start:] {
		if c == '.' {
			return b
		}
	}
	return append(b, ".0"...)
}

// appendExponent writes 1.5e-7 where strconv has 1.5e-07, and 1e21 where it has 1e+21.
func appendExponent(b []byte, v float64) []byte {
	start := len(b)
	b = strconv.AppendFloat(b, v, 'e', -1, 64)
	i := start
	for b[i] != 'e' {
		i++
	}
	digits := i + 2
	for b[digits] == '0' {
		digits++
	}
	out := b[:i+1]
	if b[i+1] == '-' {
		out = append(out, '-')
	}
	return append(out, b[digits:]...)
}

const hexDigits = "0123456789ABCDEF"

// AppendString appends v quoted. Quotes, backslashes and control characters are escaped, nothing
// else, and bytes that are not UTF-8 become U+FFFD.
func AppendString(b []byte, v string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(v); {
		c := v[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, v[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(v[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, v[start:i]...)
			b = append(b, "\uFFFD"...)
			start = i + size
		}
		i += size
	}
	b = append(b, v[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendDuration appends google.protobuf.Duration as the plain message it is to Mesos. It was
// declared without presence, so a part is left out when it is zero.
func AppendDuration(b []byte, v *durationpb.Duration) []byte {
	b = append(b, '{')
	if s := v.GetSeconds(); s != 0 {
		b = AppendInt(append(b, `"seconds":`...), s)
		b = append(b, ',')
	}
	if n := v.GetNanos(); n != 0 {
		b = AppendInt(append(b, `"nanos":`...), n)
		b = append(b, ',')
	}
	return EndObject(b)
}
