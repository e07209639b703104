package endpoint

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits bound what a client may send.
type Limits struct {
	// Body is the longest request body, in bytes.
	Body int64
	// BodyTimeout is how long a client may take to send its body.
	BodyTimeout time.Duration
	// Header is the longest request header, in bytes.
	Header int
	// HeaderTimeout is how long a client may take to send its header.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection may stay open with nothing on it.
	IdleTimeout time.Duration
}

// DefaultLimits are the limits of every listener.
func DefaultLimits() Limits {
	return Limits{
		Body: 16 << 20, BodyTimeout: 30 * time.Second, Header: 64 << 10, HeaderTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute,
	}
}

// NewServer returns an HTTP server around a handler that stands behind Guard. Its streams may be of any length.
// base is the parent of all requests' contexts: cancelling it ends the streams, for a shutdown.
func NewServer(base context.Context, h http.Handler, limits Limits, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    limits.Header,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Guard puts in front of a handler what protects a listener: bounds on bodies, refusal of cross-origin requests
// that change state, and, for a listener on loopback, refusal of Host headers of elsewhere, by which a web page
// could otherwise reach a daemon on its reader's machine.
//
// hosts are names that clients may use besides loopback's; loopback says whether the listener is on loopback.
func Guard(next http.Handler, limits Limits, loopback bool, hosts ...string) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Text(w, http.StatusForbidden, "Cross-origin requests may not change anything here")
	}))
	next = cross.Handler(next)
	if loopback {
		next = knownHost(next, hosts)
	}
	// The bounds hold for refused requests too, since the server reads what is left of their bodies.
	return bounded(next, limits)
}

func bounded(next http.Handler, limits Limits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limits.Body {
			Fail(w, Errorf(http.StatusRequestEntityTooLarge, "The request's body is longer than %d bytes", limits.Body))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limits.Body)
		if r.ContentLength != 0 {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(limits.BodyTimeout))
			r.Body = &timedBody{r.Body, control}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody lifts the connection's deadline when it has been read to its end: on a long stream it would end the
// connection. One that was not stays under it until the server is done with the request.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read reads from the body.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func knownHost(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "" && !isLoopbackHost(r.Host) && !slices.Contains(hosts, hostname(r.Host)) {
			Fail(w, Errorf(http.StatusForbidden,
				"This listener is on loopback and does not answer for the host '%s'; use localhost", hostname(r.Host)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackHost(hostport string) bool {
	host := hostname(hostport)
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostname is the name in a Host header, in lower case, without a port, brackets or a final dot.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
