package resource

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

var (
	// ErrOverflow says that a quantity does not fit into 64 bits of thousandths.
	ErrOverflow = errors.New("resource quantity overflows")
	// ErrNotContained says that something was to be taken from resources that do not hold it.
	ErrNotContained = errors.New("resources not contained")
	// ErrNotANumber says that a quantity is NaN, infinite where it may not be, or subnormal.
	ErrNotANumber = errors.New("not a finite number")
)

// scalarUnit is how many of a Scalar make one whole: quantities have three decimals.
const scalarUnit = 1000

// Scalar is a quantity in thousandths: Scalar(1500) is 1.5 cpus, or 1.5 MB of mem.
type Scalar int64

// ParseScalar rounds a number to thousandths, half away from zero. NaN, infinite and subnormal numbers
// give ErrNotANumber, numbers beyond 64 bits of thousandths ErrOverflow.
func ParseScalar(v float64) (Scalar, error) {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return 0, fmt.Errorf("%v: %w", v, ErrNotANumber)
	case v != 0 && math.Abs(v) < 0x1p-1022:
		return 0, fmt.Errorf("%v is subnormal: %w", v, ErrNotANumber)
	}
	rounded := math.Round(v * scalarUnit)
	if rounded >= 0x1p63 || rounded < -0x1p63 {
		return 0, fmt.Errorf("%v: %w", v, ErrOverflow)
	}
	return Scalar(rounded), nil
}

// Whole is the Scalar of n whole units, with ErrOverflow when they do not fit.
func Whole(n uint64) (Scalar, error) {
	if n > math.MaxInt64/scalarUnit {
		return 0, fmt.Errorf("%d: %w", n, ErrOverflow)
	}
	return Scalar(n * scalarUnit), nil // bounded just above
}

// Float is the quantity as a floating point number, as the wire has it.
func (s Scalar) Float() float64 { return float64(s) / scalarUnit }

// Add is s+o, or ErrOverflow.
func (s Scalar) Add(o Scalar) (Scalar, error) {
	sum := s + o
	if (o > 0 && sum < s) || (o < 0 && sum > s) {
		return 0, fmt.Errorf("%s + %s: %w", s, o, ErrOverflow)
	}
	return sum, nil
}

// Sub is s-o, or ErrOverflow.
func (s Scalar) Sub(o Scalar) (Scalar, error) {
	diff := s - o
	if (o > 0 && diff > s) || (o < 0 && diff < s) {
		return 0, fmt.Errorf("%s - %s: %w", s, o, ErrOverflow)
	}
	return diff, nil
}

// String writes the quantity in decimal without trailing zeros: 63.9, 0.001, 65536.
func (s Scalar) String() string { return string(s.appendTo(nil)) }

func (s Scalar) appendTo(b []byte) []byte {
	magnitude := uint64(s)
	if s < 0 {
		b = append(b, '-')
		magnitude = -magnitude
	}
	b = strconv.AppendUint(b, magnitude/scalarUnit, 10)
	fraction := magnitude % scalarUnit
	if fraction == 0 {
		return b
	}
	digits := [4]byte{'.', byte('0' + fraction/100), byte('0' + fraction/10%10), byte('0' + fraction%10)}
	return append(b, strings.TrimRight(string(digits[:]), "0")...)
}

// parseScalarText reads a decimal number. Hexadecimal, "inf" and "nan", which strconv knows, are refused.
func parseScalarText(text string) (Scalar, error) {
	if text == "" || strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("%s: %w", text, ErrOverflow)
		}
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return ParseScalar(v)
}
