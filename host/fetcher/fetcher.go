// Package fetcher brings the URIs of a task into its sandbox: plain copies, executables, and archives that
// are unpacked. Nothing it writes lies outside the sandbox, whatever a URI, an archive or another process of
// the same user does, since all names are resolved beneath the sandbox's folder. It imports the standard
// library, the containerizer's plain types, and a decoder for xz.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
)

// Config is what a site decides on fetching. The zero value has the defaults.
type Config struct {
	// StallTimeout ends a download that brings nothing for so long; one minute by default.
	StallTimeout time.Duration
	// MaxBytes is how much one URI may bring; 16 GiB by default.
	MaxBytes int64
	// MaxUnpackedBytes and MaxUnpackedFiles are how much one archive may unpack to; 64 GiB and a million
	// by default.
	MaxUnpackedBytes int64
	MaxUnpackedFiles int
	// FrameworksHome is the folder that relative paths start from. Without one they are refused.
	FrameworksHome string
	// Transport is what carries HTTP; by default a new one that takes the proxy from the environment.
	Transport http.RoundTripper
}

// Owner is to whom everything fetched belongs, and as whom files of this machine are read.
type Owner struct {
	UID, GID uint32
	Groups   []uint32
}

// Request is what is to be fetched, and where to.
type Request struct {
	URIs    []containerizer.URI
	Sandbox string // an existing folder
	Owner   *Owner // nil: whoever this process is
	Log     io.Writer
}

// Fetcher fetches. Its methods may be called at once from several goroutines.
type Fetcher struct {
	config Config
	client *http.Client
	// succeeded and failed count calls of Fetch.
	succeeded, failed atomic.Uint64
}

// Counts says how many requests were fulfilled so far, and how many were not. One without URIs counts, too.
func (f *Fetcher) Counts() (succeeded, failed uint64) { return f.succeeded.Load(), f.failed.Load() }

// New makes a fetcher.
func New(config Config) *Fetcher {
	if config.StallTimeout <= 0 {
		config.StallTimeout = time.Minute
	}
	if config.MaxBytes <= 0 {
		config.MaxBytes = 16 << 30
	}
	if config.MaxUnpackedBytes <= 0 {
		config.MaxUnpackedBytes = 64 << 30
	}
	if config.MaxUnpackedFiles <= 0 {
		config.MaxUnpackedFiles = 1_000_000
	}
	if config.Transport == nil {
		config.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSHandshakeTimeout:   config.StallTimeout,
			ResponseHeaderTimeout: config.StallTimeout,
			MaxIdleConns:          16,
			IdleConnTimeout:       30 * time.Second,
		}
	}
	return &Fetcher{config: config, client: &http.Client{Transport: config.Transport}}
}

// Validate says what is wrong with the form of a URI, without fetching anything.
func Validate(u containerizer.URI) error {
	if _, err := parse(u.Value); err != nil {
		return uriError(u, err)
	}
	if _, err := target(u); err != nil {
		return uriError(u, err)
	}
	return nil
}

// Fetch brings every URI of the request into the sandbox, in their order, and writes to the request's log how
// it goes. An error names the URI, without a password that it may hold.
func (f *Fetcher) Fetch(ctx context.Context, r Request) error {
	if err := f.fetchAll(ctx, r); err != nil {
		f.failed.Add(1)
		return err
	}
	f.succeeded.Add(1)
	return nil
}

func (f *Fetcher) fetchAll(ctx context.Context, r Request) error {
	if len(r.URIs) == 0 {
		return nil
	}
	if r.Log == nil {
		r.Log = io.Discard
	}
	for _, u := range r.URIs {
		if err := Validate(u); err != nil {
			logf(r.Log, "%v", err)
			return err
		}
	}
	root, err := os.OpenRoot(r.Sandbox)
	if err != nil {
		return fmt.Errorf("open the sandbox: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing is written through it
	for _, u := range r.URIs {
		if err := f.fetch(ctx, r, &sandbox{root: root, owner: r.Owner}, u); err != nil {
			err = uriError(u, err)
			logf(r.Log, "%v", err)
			return err
		}
	}
	return nil
}

func (f *Fetcher) fetch(ctx context.Context, r Request, box *sandbox, u containerizer.URI) error {
	name, err := target(u)
	if err != nil {
		return err
	}
	logf(r.Log, "Fetching URI '%s'", redacted(u.Value))
	source, err := f.open(ctx, r.Owner, u.Value)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // only read from
	mode := os.FileMode(0o644)
	if u.Executable {
		mode = 0o755
	}
	if err := box.write(name, &limited{r: source, left: f.config.MaxBytes}, mode); err != nil {
		return err
	}
	logf(r.Log, "Fetched '%s' to '%s'", redacted(u.Value), path.Join(r.Sandbox, name))
	if u.Executable || !u.Extract {
		return nil
	}
	done, err := f.unpack(box, name)
	if err != nil {
		return fmt.Errorf("extract '%s': %w", name, err)
	}
	if done {
		logf(r.Log, "Extracted '%s' into '%s'", name, r.Sandbox)
	} else {
		logf(r.Log, "'%s' is not extracted: its name is not that of an archive", name)
	}
	return nil
}

// open begins to read a URI.
func (f *Fetcher) open(ctx context.Context, owner *Owner, value string) (io.ReadCloser, error) {
	u, err := parse(value)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return f.openHTTP(ctx, u)
	}
	name := u.Path
	if !filepath.IsAbs(name) {
		if f.config.FrameworksHome == "" {
			return nil, errors.New("a relative path needs frameworks_home to be set")
		}
		name = filepath.Join(f.config.FrameworksHome, name)
	}
	return openFile(owner, name)
}

// parse reads a URI of a scheme that is known. A plain path counts as a file.
func parse(value string) (*url.URL, error) {
	if value == "" {
		return nil, errors.New("it is empty")
	}
	scheme, _, ok := strings.Cut(value, ":")
	if !ok || strings.Contains(scheme, "/") {
		return &url.URL{Scheme: "file", Path: value}, nil
	}
	u, err := url.Parse(value)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return nil, errors.New("it names no host")
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("it names the host %q: files are read from this machine alone", u.Host)
		}
		if u.Path == "" {
			return nil, errors.New("it names no file")
		}
	default:
		return nil, fmt.Errorf("the scheme %q is not one of file, http, https", u.Scheme)
	}
	return u, nil
}

// target is the path in the sandbox that a URI is written to.
func target(u containerizer.URI) (string, error) {
	if u.OutputFile != "" {
		if !filepath.IsLocal(u.OutputFile) || path.Clean(u.OutputFile) == "." {
			return "", fmt.Errorf("output_file '%s' is not a path within the sandbox", u.OutputFile)
		}
		return path.Clean(u.OutputFile), nil
	}
	parsed, err := parse(u.Value)
	if err != nil {
		return "", err
	}
	name := path.Base(parsed.Path)
	if name == "." || name == "/" || name == ".." || strings.HasSuffix(parsed.Path, "/") {
		return "", errors.New("its path ends without the name of a file, and it has no output_file")
	}
	return name, nil
}

func uriError(u containerizer.URI, err error) error {
	return fmt.Errorf("fetch URI '%s': %w", redacted(u.Value), err)
}

// redacted is a URI without its password.
func redacted(value string) string {
	if u, err := url.Parse(value); err == nil {
		return u.Redacted()
	}
	if _, rest, ok := strings.Cut(value, "@"); ok {
		return "(unreadable)@" + rest
	}
	return value
}

func logf(w io.Writer, format string, arguments ...any) {
	_, _ = fmt.Fprintf(w, time.Now().Format("0102 15:04:05.000000")+" fetcher: "+format+"\n", arguments...)
}
