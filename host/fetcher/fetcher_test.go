package fetcher_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// fetch fetches one URI into a new sandbox, and returns the sandbox and the log.
func fetch(t *testing.T, c fetcher.Config, u containerizer.URI) (sandbox, log string, err error) {
	t.Helper()
	sandbox = filepath.Join(t.TempDir(), "sandbox")
	if err := os.Mkdir(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = fetcher.New(c).Fetch(t.Context(), fetcher.Request{URIs: []containerizer.URI{u}, Sandbox: sandbox, Log: &out})
	return sandbox, out.String(), err
}

// tree is what is in a folder: names with their mode and content, or the target of links.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = " " + string(b)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			out[name] = "-> " + to
			return nil
		}
		out[name] = info.Mode().String() + content
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func server(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFetch(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	local := writeFile(t, filepath.Join(home, "data.txt"), []byte("local"))
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/remote", http.StatusFound)
		case "/remote", "/run.sh", "/x.tar", "/a b":
			_, _ = io.WriteString(w, "remote")
		default:
			http.NotFound(w, r)
		}
	})
	for name, c := range map[string]struct {
		uri  containerizer.URI
		want map[string]string
	}{
		"file":           {containerizer.URI{Value: "file://" + local}, map[string]string{"data.txt": "-rw-r--r-- local"}},
		"file localhost": {containerizer.URI{Value: "file://localhost" + local}, map[string]string{"data.txt": "-rw-r--r-- local"}},
		"path":           {containerizer.URI{Value: local}, map[string]string{"data.txt": "-rw-r--r-- local"}},
		"relative":       {containerizer.URI{Value: "data.txt"}, map[string]string{"data.txt": "-rw-r--r-- local"}},
		"http":           {containerizer.URI{Value: base + "/remote"}, map[string]string{"remote": "-rw-r--r-- remote"}},
		"http query":     {containerizer.URI{Value: base + "/remote?x=/y/z#frag"}, map[string]string{"remote": "-rw-r--r-- remote"}},
		"escaped":        {containerizer.URI{Value: base + "/a%20b"}, map[string]string{"a b": "-rw-r--r-- remote"}},
		"redirect":       {containerizer.URI{Value: base + "/moved"}, map[string]string{"moved": "-rw-r--r-- remote"}},
		"executable":     {containerizer.URI{Value: base + "/run.sh", Executable: true}, map[string]string{"run.sh": "-rwxr-xr-x remote"}},
		"executable wins over extract": {
			containerizer.URI{Value: base + "/x.tar", Executable: true, Extract: true}, map[string]string{"x.tar": "-rwxr-xr-x remote"},
		},
		"not an archive": {containerizer.URI{Value: base + "/remote", Extract: true}, map[string]string{"remote": "-rw-r--r-- remote"}},
		"output file": {
			containerizer.URI{Value: base + "/remote", OutputFile: "a/b/c.txt"},
			map[string]string{"a": "drwxr-xr-x", "a/b": "drwxr-xr-x", "a/b/c.txt": "-rw-r--r-- remote"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sandbox, log, err := fetch(t, fetcher.Config{FrameworksHome: home}, c.uri)
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, sandbox)
			for n, w := range c.want {
				if got[n] != w {
					t.Errorf("%s is %q, want %q", n, got[n], w)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v", got)
			}
			if !strings.Contains(log, "Fetching URI '"+c.uri.Value+"'") {
				t.Errorf("log %q", log)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		case "/big":
			_, _ = io.WriteString(w, strings.Repeat("x", 2000))
		case "/announced":
			w.Header().Set("Content-Length", "2000")
			_, _ = io.WriteString(w, strings.Repeat("x", 2000))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	pipe := filepath.Join(t.TempDir(), "pipe")
	makePipe(t, pipe)
	for value, c := range map[string]struct{ output, says string }{
		base + "/missing":             {"", "404 Not Found"},
		base + "/cut":                 {"", "unexpected EOF"},
		base + "/big":                 {"", "larger than the site allows"},
		base + "/announced":           {"", "2000 bytes, at most 1000"},
		base + "/loop":                {"", "redirects"},
		"http://127.0.0.1:1/x":        {"", "connection refused"},
		"file:///no/such/file":        {"", "no such file"},
		"file:///tmp":                 {"", "not a regular file"},
		"file://" + pipe:              {"", "not a regular file"},
		"file://otherhost/etc/passwd": {"", "otherhost"},
		"relative/file":               {"", "frameworks_home"},
		"ftp://host/x":                {"", `"ftp"`},
		"hdfs://host/x":               {"", `"hdfs"`},
		"http:///x":                   {"", "names no host"},
		"http://host/":                {"", "without the name of a file"},
		"http://host":                 {"", "without the name of a file"},
		"http://host/..":              {"", "without the name of a file"},
		"file:":                       {"", "names no file"},
		"http://h/%zz":                {"", "invalid URL escape"},
		"":                            {"", "empty"},
		"http://host/a":               {"/etc/x", "not a path within the sandbox"},
		"http://host/b":               {"../x", "not a path within the sandbox"},
		"http://host/c":               {"a/../../x", "not a path within the sandbox"},
		"http://host/d":               {".", "not a path within the sandbox"},
	} {
		t.Run(strings.ReplaceAll(value, "/", "_"), func(t *testing.T) {
			t.Parallel()
			_, log, err := fetch(t, fetcher.Config{MaxBytes: 1000}, containerizer.URI{Value: value, OutputFile: c.output})
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "fetch URI '"+value+"'") {
				t.Errorf("error %v", err)
			}
			if err != nil && !strings.Contains(log, err.Error()) {
				t.Errorf("log %q", log)
			}
		})
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()
	base := server(t, http.NotFound)
	secret := strings.Replace(base, "http://", "http://me:s3cret@", 1) + "/x"
	_, log, err := fetch(t, fetcher.Config{}, containerizer.URI{Value: secret})
	if err == nil || strings.Contains(err.Error()+log, "s3cret") {
		t.Errorf("error %v, log %q", err, log)
	}
	_, log, err = fetch(t, fetcher.Config{}, containerizer.URI{Value: "http://me:s3cret@host:bad port/x"})
	if err == nil || strings.Contains(err.Error()+log, "s3cret") {
		t.Errorf("error %v, log %q", err, log)
	}
}

func TestNothingIsFetchedBeforeAllIsChecked(t *testing.T) {
	t.Parallel()
	base := server(t, func(http.ResponseWriter, *http.Request) { t.Error("something was fetched") })
	err := fetcher.New(fetcher.Config{}).Fetch(t.Context(), fetcher.Request{
		URIs: []containerizer.URI{{Value: base + "/a"}, {Value: "nonsense://x"}}, Sandbox: t.TempDir(),
	})
	if err == nil {
		t.Error("no error")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		close(started)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no longer wanted")
	go func() {
		<-started
		cancel(reason)
	}()
	err := fetcher.New(fetcher.Config{}).Fetch(ctx, fetcher.Request{URIs: []containerizer.URI{{Value: base + "/x"}}, Sandbox: t.TempDir()})
	if !errors.Is(err, reason) {
		t.Error(err)
	}
}

// stalled is a transport whose bodies bring a byte every so often, and then nothing.
type stalled struct {
	every time.Duration
	bytes int
}

func (s stalled) RoundTrip(r *http.Request) (*http.Response, error) {
	read, write := io.Pipe()
	go func() {
		for range s.bytes {
			time.Sleep(s.every)
			_, _ = write.Write([]byte("x"))
		}
		<-r.Context().Done()
		write.CloseWithError(r.Context().Err())
	}()
	return &http.Response{StatusCode: http.StatusOK, Body: read, ContentLength: -1, Request: r}, nil
}

func TestStall(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		f := fetcher.New(fetcher.Config{Transport: stalled{every: 50 * time.Second, bytes: 3}})
		err := f.Fetch(t.Context(), fetcher.Request{URIs: []containerizer.URI{{Value: "http://host/x"}}, Sandbox: folder})
		if err == nil || !strings.Contains(err.Error(), "the download stalled: nothing came for 1m0s") {
			t.Error(err)
		}
		// What comes slowly does not stall.
		if took := time.Since(begun); took != 210*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNoWayOut(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	source := writeFile(t, filepath.Join(outside, "source"), []byte("content"))
	sandbox := t.TempDir()
	// What the task's user may have put into the sandbox meanwhile.
	for name, to := range map[string]string{"folder": outside, "up": "..", "file": filepath.Join(outside, "victim")} {
		if err := os.Symlink(to, filepath.Join(sandbox, name)); err != nil {
			t.Fatal(err)
		}
	}
	for output, allowed := range map[string]bool{"folder/x": false, "up/x": false, "file": true} {
		err := fetcher.New(fetcher.Config{}).Fetch(t.Context(), fetcher.Request{
			URIs: []containerizer.URI{{Value: source, OutputFile: output}}, Sandbox: sandbox,
		})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", output, err)
		}
	}
	if got := tree(t, outside); len(got) != 1 {
		t.Errorf("outside of the sandbox: %v", got)
	}
	if got := tree(t, sandbox)["file"]; got != "-rw-r--r-- content" {
		t.Errorf("the link was not replaced: %q", got)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	f, sandbox := fetcher.New(fetcher.Config{}), t.TempDir()
	for _, uris := range [][]containerizer.URI{nil, {{Value: "/etc/hostname"}}, {{Value: "/etc/hostname"}, {Value: "/no/such/file"}}} {
		_ = f.Fetch(t.Context(), fetcher.Request{URIs: uris, Sandbox: sandbox})
	}
	if succeeded, failed := f.Counts(); succeeded != 2 || failed != 1 {
		t.Errorf("%d succeeded, %d failed", succeeded, failed)
	}
}
