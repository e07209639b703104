package config

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// sentence is an error as a sentence with its full stop.
func sentence(err error) string {
	text := err.Error()
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// Meant gives `; did you mean "x"?` for the known name nearest to a wrong one, or nothing.
func Meant(wrong string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := levenshtein.Distance(wrong, k, nil); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
