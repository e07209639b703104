package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

var (
	errStalled = errors.New("the download stalled")
	errTooBig  = errors.New("it is larger than the site allows")
)

// openHTTP begins a download. What is returned ends with errStalled when nothing comes for the stall timeout.
func (f *Fetcher) openHTTP(ctx context.Context, u *url.URL) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(f.config.StallTimeout, func() {
		cancel(fmt.Errorf("%w: nothing came for %v", errStalled, f.config.StallTimeout))
	})
	stop := func() {
		watch.Stop()
		cancel(nil)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		stop()
		return nil, err
	}
	response, err := f.client.Do(request)
	if err != nil {
		err = plain(ctx, err)
		stop()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		stop()
		return nil, fmt.Errorf("the server answered %s", response.Status)
	}
	if response.ContentLength > f.config.MaxBytes {
		_ = response.Body.Close()
		stop()
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errTooBig, response.ContentLength, f.config.MaxBytes)
	}
	return &download{ctx: ctx, body: response.Body, watch: watch, stall: f.config.StallTimeout, stop: stop}, nil
}

// download is the body of a response whose every byte puts the stall off.
type download struct {
	ctx   context.Context //nolint:containedctx // the request's own; its cause is the error
	body  io.ReadCloser
	watch *time.Timer
	stall time.Duration
	stop  func()
}

// Read reads from the response.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.body.Read(p)
	if n > 0 {
		d.watch.Reset(d.stall)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = plain(d.ctx, err)
	}
	return n, err
}

// Close ends the download.
func (d *download) Close() error {
	d.stop()
	return d.body.Close()
}

// plain is the reason behind an error of the HTTP client, without the URL that it repeats.
func plain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

// limited reads until more came than is allowed.
type limited struct {
	r    io.Reader
	left int64
}

// Read reads, with errTooBig for the first byte too many.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n, errTooBig
	}
	return n, err
}
