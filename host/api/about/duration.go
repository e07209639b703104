package about

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units are the units of time that Mesos writes.
var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "secs": time.Second,
	"mins": time.Minute, "hrs": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// parseDuration reads a duration as Mesos writes it: 100ms, 5secs, 1.5mins.
func parseDuration(text string) (time.Duration, error) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' })
	if end < 0 {
		return 0, errors.New("a unit is missing (ns, us, ms, secs, mins, hrs, days, weeks)")
	}
	number, err := strconv.ParseFloat(text[:end], 64)
	if err != nil {
		return 0, fmt.Errorf("failed to convert '%s' to number", text[:end])
	}
	unit, ok := units[text[end:]]
	if !ok {
		return 0, fmt.Errorf("unknown unit '%s' (ns, us, ms, secs, mins, hrs, days, weeks)", text[end:])
	}
	return time.Duration(number * float64(unit)), nil
}
