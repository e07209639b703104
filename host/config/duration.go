package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mesosUnits are the units of Mesos's flags ("15secs", "1weeks"), accepted beside Go's ("15s", "168h").
var mesosUnits = []struct {
	name string
	unit time.Duration
}{
	{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hrs", time.Hour}, {"mins", time.Minute},
	{"secs", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
}

// parseDuration reads a time that is not negative.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = parseMesosDuration(text)
	}
	if err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative", text)
	}
	return d, nil
}

func parseMesosDuration(text string) (time.Duration, error) {
	for _, u := range mesosUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil || !(n >= 0) || n*float64(u.unit) > float64(1<<62) {
			break
		}
		return time.Duration(n * float64(u.unit)), nil
	}
	return 0, fmt.Errorf("%q is not a time; write one such as \"200ms\", \"15s\" or \"10m\"", text)
}
