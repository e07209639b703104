package record

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// FormatVersion is the version of the values' forms. A reader takes every version up to its own.
const FormatVersion = 1

// ErrNewerFormat says that a value was written by a newer release.
var ErrNewerFormat = errors.New("written by a newer release of mezzo")

// writer builds a value: a byte of version, and then fields as protobuf has them, so that fields can be added.
// What is zero is left out.
type writer []byte

func newWriter() writer { return writer{FormatVersion} }

func (w writer) text(n protowire.Number, s string) writer {
	if s == "" {
		return w
	}
	return protowire.AppendString(protowire.AppendTag(w, n, protowire.BytesType), s)
}

func (w writer) bytes(n protowire.Number, b []byte) writer {
	if len(b) == 0 {
		return w
	}
	return protowire.AppendBytes(protowire.AppendTag(w, n, protowire.BytesType), b)
}

func (w writer) number(n protowire.Number, v uint64) writer {
	if v == 0 {
		return w
	}
	return protowire.AppendVarint(protowire.AppendTag(w, n, protowire.VarintType), v)
}

func (w writer) time(n protowire.Number, t time.Time) writer {
	if t.IsZero() {
		return w
	}
	return w.number(n, protowire.EncodeZigZag(t.UnixNano()))
}

// read fills targets, by the number of the field, from a value. A target is a *string, *[]byte, *uint64 or
// *time.Time. Fields without a target are skipped.
func read(value []byte, targets map[protowire.Number]any) error {
	if len(value) == 0 {
		return errors.New("empty value")
	}
	if value[0] > FormatVersion {
		return fmt.Errorf("value of format %d, this release reads up to %d: %w", value[0], FormatVersion, ErrNewerFormat)
	}
	for rest := value[1:]; len(rest) > 0; {
		n, kind, size := protowire.ConsumeTag(rest)
		if size < 0 {
			return protowire.ParseError(size)
		}
		rest = rest[size:]
		target, known := targets[n]
		if !known {
			if size = protowire.ConsumeFieldValue(n, kind, rest); size < 0 {
				return protowire.ParseError(size)
			}
			rest = rest[size:]
			continue
		}
		size, err := readField(rest, kind, target)
		if err != nil {
			return fmt.Errorf("field %d: %w", n, err)
		}
		rest = rest[size:]
	}
	return nil
}

func readField(rest []byte, kind protowire.Type, target any) (int, error) {
	switch t := target.(type) {
	case *string, *[]byte:
		if kind != protowire.BytesType {
			return 0, errors.New("not text")
		}
		b, size := protowire.ConsumeBytes(rest)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		if s, ok := t.(*string); ok {
			*s = string(b)
		} else {
			*t.(*[]byte) = append([]byte(nil), b...)
		}
		return size, nil
	default:
		if kind != protowire.VarintType {
			return 0, errors.New("not a number")
		}
		v, size := protowire.ConsumeVarint(rest)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		if n, ok := t.(*uint64); ok {
			*n = v
		} else {
			*t.(*time.Time) = time.Unix(0, protowire.DecodeZigZag(v)).UTC()
		}
		return size, nil
	}
}
