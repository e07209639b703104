package sdk

import (
	"context"
	"errors"
	"fmt"
)

// Code says what the host is to do about an error.
type Code uint8

const (
	// Unknown is any error without a code. The host counts it as a bug of the plugin.
	Unknown Code = iota
	// InvalidArgument is final: the user asked for something that cannot be.
	InvalidArgument
	// FailedPrecondition is final: something has to be put right first. The message says what.
	FailedPrecondition
	// NotFound is success where something was to be removed.
	NotFound
	// Unavailable may pass: the host tries again, with the same operation.
	Unavailable
	// DeadlineExceeded is Unavailable, for want of time.
	DeadlineExceeded
	// Aborted is Unavailable, because something else got in the way.
	Aborted
	// ResourceExhausted is final: a limit is reached.
	ResourceExhausted
	// Unimplemented says that the plugin does not have the capability.
	Unimplemented
)

var codeNames = [...]string{
	"unknown", "invalid argument", "failed precondition", "not found", "unavailable", "deadline exceeded",
	"aborted", "resource exhausted", "unimplemented",
}

// String is the code in words.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "unknown"
}

// Final tells whether trying again cannot help.
func (c Code) Final() bool { return c != Unavailable && c != DeadlineExceeded && c != Aborted }

// Error is an error with a code.
type Error struct {
	Code Code
	Err  error
}

// Error is the message, without the code.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the error without the code.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error as fmt.Errorf makes an error.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf is the code of the outermost Error in err's chain. A context's end has a code, too.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Aborted
	default:
		return Unknown
	}
}

// ConfigProblem is an error about one value of a configuration. The host shows it at the value's place in
// the operator's file.
type ConfigProblem struct {
	// Path leads from the config {} block to the value: a string for an attribute, a block, a map's key or a
	// label; an int for an element of a list or one of several blocks.
	Path []any
	Err  error
}

// ConfigError says that err is about the value at path, which is as in ConfigProblem:
// ConfigError(err, "rules", 2, "match"). Several are returned with errors.Join.
func ConfigError(err error, path ...any) error { return &ConfigProblem{Path: path, Err: err} }

// Error is the message with the path before it.
func (p *ConfigProblem) Error() string {
	text := ""
	for i, step := range p.Path {
		switch step := step.(type) {
		case int:
			text += fmt.Sprintf("[%d]", step)
		default:
			if i > 0 {
				text += "."
			}
			text += fmt.Sprint(step)
		}
	}
	if text == "" {
		return p.Err.Error()
	}
	return text + ": " + p.Err.Error()
}

// Unwrap is the error without the path.
func (p *ConfigProblem) Unwrap() error { return p.Err }
