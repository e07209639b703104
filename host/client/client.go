// Package client is the HTTP client of the command line: it finds the leading master among several, follows
// redirects, makes operator and scheduler calls, reads event streams, and reads files on agents. Its errors say
// what to do about them.
//
// It speaks Mesos's public HTTP API in protobuf and nothing else. It imports sdk/mesos, and nothing of the host.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
)

const (
	typeProtobuf = "application/x-protobuf"
	// maxRedirects bounds how often one request is sent on.
	maxRedirects = 5
	// maxAnswer is the longest answer read, in bytes: the state of a large cluster.
	maxAnswer = 1 << 30
	// dialTimeout bounds connecting to one master, so that a dead one does not hide the others.
	dialTimeout = 3 * time.Second
	// leaderWait is how long a request waits for an election to end.
	leaderWait = 10 * time.Second
)

// Config says where the masters are and how to speak to them.
type Config struct {
	// Masters are addresses, host:port or URLs, in the order in which they are tried.
	Masters []string
	// Principal and Secret are sent by HTTP basic authentication, unless Principal is empty.
	Principal, Secret string
	// TLS makes the client speak HTTPS, to addresses without a scheme too; nil means plain HTTP for these.
	TLS *tls.Config
}

// Client speaks to the leading master of a cluster. It is safe for concurrent use.
type Client struct {
	http              *http.Client
	scheme            string
	principal, secret string
	masters           []*url.URL

	mu     sync.Mutex
	leader *url.URL
}

// New returns a client. It does not connect yet. An address that makes no sense is an error.
func New(c Config) (*Client, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     c.TLS,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   false,
	}
	client := &Client{
		http:      &http.Client{Transport: transport, CheckRedirect: stay},
		scheme:    "http",
		principal: c.Principal, secret: c.Secret,
	}
	if c.TLS != nil {
		client.scheme = "https"
	}
	for _, text := range c.Masters {
		u, err := address.Parse(text, client.scheme)
		if err != nil {
			return nil, fmt.Errorf("master's %w", err)
		}
		client.masters = append(client.masters, u)
	}
	if len(client.masters) == 0 {
		return nil, errors.New("no master is given; pass --master HOST:PORT")
	}
	return client, nil
}

// stay leaves redirects to the caller, who must send the body again and keep the scheme.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer other than success.
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// Text is what the server said.
	Text string
	// URL is what was asked.
	URL string
}

// Error says what the server said, and for some statuses what to do.
func (e *StatusError) Error() string {
	text := strings.TrimSpace(e.Text)
	if text == "" {
		text = http.StatusText(e.Status)
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return fmt.Sprintf("%s asks who you are: %s; pass --principal and --secret-file", e.URL, text)
	case http.StatusForbidden:
		return "not allowed: " + text
	}
	return fmt.Sprintf("%s (status %d)", text, e.Status)
}

// IsStatus tells whether an error is an answer with that HTTP status.
func IsStatus(err error, status int) bool {
	var e *StatusError
	return errors.As(err, &e) && e.Status == status
}

// UnreachableError says that no master answers.
type UnreachableError struct {
	// Masters are the addresses that were tried.
	Masters []string
	// Err is what went wrong last.
	Err error
}

// Error says where nobody answers, why, and what to do.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no master answers at %s (%v); is it running? pass --master HOST:PORT if it is elsewhere",
		strings.Join(e.Masters, ", "), e.Err)
}

// Unwrap returns what went wrong last.
func (e *UnreachableError) Unwrap() error { return e.Err }

// request is one request to whoever leads.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

// do sends a request to the leading master. It tries the masters in turn, follows redirects, and waits a while for
// a leader to be elected. The caller closes the answer's body; any status but those is returned as it is.
func (c *Client) do(ctx context.Context, req request) (*http.Response, error) {
	deadline := time.Now().Add(leaderWait)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		resp, err := c.try(ctx, req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || time.Now().Add(pause).After(deadline) {
			return resp, err
		}
		drain(resp)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// try asks the master that led last, then each of the others.
func (c *Client) try(ctx context.Context, req request) (*http.Response, error) {
	var last error
	for _, u := range c.candidates() {
		resp, err := c.follow(ctx, u, req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		last = err
		c.forget(u)
	}
	return nil, &UnreachableError{Masters: c.addresses(), Err: plainly(last)}
}

// follow sends a request and goes where it is redirected.
func (c *Client) follow(ctx context.Context, u *url.URL, req request) (*http.Response, error) {
	for range maxRedirects {
		resp, err := c.send(ctx, u, req)
		if err != nil {
			return nil, err
		}
		// Masters of Mezzo say that they are; those of Mesos say nothing.
		if daemon := resp.Header.Get("Mezzo-Daemon"); daemon != "" && daemon != "master" {
			drain(resp)
			return nil, errors.New("that is an agent; a master's HTTP API is on port 5050 by default")
		}
		if resp.StatusCode != http.StatusTemporaryRedirect {
			c.remember(u)
			return resp, nil
		}
		drain(resp)
		to, err := u.Parse(resp.Header.Get("Location"))
		if err != nil || to.Host == "" {
			return nil, fmt.Errorf("%s redirects to %q, which is no address", u.Host, resp.Header.Get("Location"))
		}
		u = &url.URL{Scheme: to.Scheme, Host: to.Host}
	}
	return nil, fmt.Errorf("more than %d redirects: the masters do not agree on who leads", maxRedirects)
}

func (c *Client) send(ctx context.Context, u *url.URL, req request) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, req.method, u.String()+req.path, bytes.NewReader(req.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, values := range req.header {
		r.Header[name] = values
	}
	if c.principal != "" {
		r.SetBasicAuth(c.principal, c.secret)
	}
	return c.http.Do(r)
}

func (c *Client) candidates() []*url.URL {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader == nil {
		return c.masters
	}
	rest := slices.DeleteFunc(slices.Clone(c.masters), func(u *url.URL) bool { return *u == *c.leader })
	return append([]*url.URL{c.leader}, rest...)
}

func (c *Client) remember(u *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leader = u
}

func (c *Client) forget(u *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leader != nil && *c.leader == *u {
		c.leader = nil
	}
}

func (c *Client) addresses() []string {
	out := make([]string, len(c.masters))
	for i, u := range c.masters {
		out[i] = u.Host
	}
	return out
}

// plainly takes an error of net/http down to what matters to a person.
func plainly(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		err = op.Err
	}
	if err != nil && (errors.Is(err, io.EOF) || strings.Contains(err.Error(), "malformed HTTP response")) {
		return errors.New("what listens there does not speak HTTP; a master's HTTP API is on port 5050 by default")
	}
	return err
}

// success reads an answer of the wanted status, or turns another one into a StatusError.
func success(resp *http.Response, want int) ([]byte, error) {
	defer drain(resp)
	if resp.StatusCode != want {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		where := resp.Request.URL.Scheme + "://" + resp.Request.URL.Host
		return nil, &StatusError{Status: resp.StatusCode, Text: string(text), URL: where}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", resp.Request.URL.Host, err)
	}
	return body, nil
}

// drain lets the connection be used again.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
