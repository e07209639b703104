package jsonwire

import (
	"fmt"
	"strings"
)

// A SyntaxError says that a text is not JSON, in Mesos's words.
type SyntaxError struct {
	Line   int    // counted from 1
	Near   string // the rest of the line from where reading stopped, shortened
	Reason string // what is wrong; empty where the place says it all
}

// Error returns `syntax error at line N near: TEXT`.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("syntax error at line %d near: %s", e.Line, e.Near)
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}

// A ConversionError says that JSON does not fit the message, in Mesos's words.
type ConversionError struct {
	Path   string // the field, dotted from the top (subscribe.framework_info.name); empty for the whole
	Reason string
}

// Error returns the reason, which names the path.
func (e *ConversionError) Error() string { return e.Reason }

// A MissingError lists required fields that are not set.
type MissingError struct {
	Fields []string // dotted paths from the top
}

// Error returns `Missing required fields: A, B`.
func (e *MissingError) Error() string {
	return "Missing required fields: " + strings.Join(e.Fields, ", ")
}
