package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/config"
)

// drainTime is how long open requests may take to end when a daemon stops.
const drainTime = 2 * time.Second

// listen opens a listener. The error says what to do when somebody else has the address.
func listen(address, what string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for %s: %w (is another mezzo, or a Mesos, running here?)", address, what, errors.Unwrap(err))
	}
	return l, nil
}

// isLoopback tells whether a listener is reached from this machine alone.
func isLoopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// authenticator returns what an authentication block asks for.
func authenticator(c *config.Authentication, log *slog.Logger) (access.Authenticator, error) {
	if c == nil {
		return access.NoAuthentication{}, nil
	}
	// On Windows a file's mode says nothing of who may read it.
	if info, err := os.Stat(c.CredentialsFile); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		log.Warn("the credentials file is open to everybody on this machine: chmod 600 it",
			"file", c.CredentialsFile, "mode", info.Mode().Perm().String())
	}
	basic, err := access.LoadBasic(c.CredentialsFile)
	if err != nil {
		return nil, c.At(err)
	}
	return basic, nil
}

// checkFiles reads the files that a daemon's tls and authentication blocks name, before anything is started.
func checkFiles(t *config.TLS, a *config.Authentication) error {
	_, tlsErr := mutualTLS(t)
	_, authErr := authenticator(a, slog.New(slog.DiscardHandler)) // who may read them is said when they are used
	return errors.Join(tlsErr, authErr)
}

// webServer is an HTTP listener with its handler.
type webServer struct {
	server *http.Server
	cancel context.CancelFunc
	failed chan error
}

// serveHTTP begins to serve. An error of the listener comes out of failed.
func serveHTTP(l net.Listener, api http.Handler, measured *metrics.HTTP, conf *config.TLS, log *slog.Logger) (*webServer, error) {
	settings, err := serverTLS(conf)
	if err != nil {
		return nil, err
	}
	if settings != nil {
		l = tls.NewListener(l, settings)
	}
	base, cancel := context.WithCancel(context.Background())
	limits := endpoint.DefaultLimits()
	name, _ := hostname("")
	handler := endpoint.Guard(measured.Wrap(api), limits, isLoopback(l), name)
	s := &webServer{server: endpoint.NewServer(base, handler, limits, log), cancel: cancel, failed: make(chan error, 1)}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
		}
	}()
	return s, nil
}

// stop ends the streams, waits a moment for other requests, and closes the listener.
func (s *webServer) stop() {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
}
