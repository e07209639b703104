package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Error is an answer other than success: a status and one line of text for a person.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Text is the body, without a newline at its end; it may be empty.
	Text string
	// Header is added to the answer's header.
	Header http.Header
}

// Error returns the status and the text.
func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Text) }

// Errorf returns an Error with a formatted text.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Text: fmt.Sprintf(format, args...)}
}

// BadRequest is a 400.
func BadRequest(format string, args ...any) *Error {
	return Errorf(http.StatusBadRequest, format, args...)
}

// NotFound is the 404 that libprocess answers for a path nobody serves.
func NotFound() *Error { return Errorf(http.StatusNotFound, "404 Not Found.") }

// Unavailable is a 503 that asks the client to come again after a while.
func Unavailable(after time.Duration, format string, args ...any) *Error {
	e := Errorf(http.StatusServiceUnavailable, format, args...)
	e.Header = http.Header{"Retry-After": {strconv.Itoa(max(1, int(after.Seconds())))}}
	return e
}

// Fail writes err as an answer: an *Error as it says, any other error as a 500 with its text.
func Fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = Errorf(http.StatusInternalServerError, "%s", err.Error())
	}
	for name, values := range e.Header {
		for _, v := range values {
			w.Header().Add(name, v)
		}
	}
	Text(w, e.Status, e.Text)
}

// Text answers with plain text, as libprocess does: no newline is added.
func Text(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// Empty answers with a status and no body, hence with no Content-Type: what Mesos says to an accepted call.
func Empty(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = nil
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}
