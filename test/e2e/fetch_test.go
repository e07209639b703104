//go:build linux

package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

func uri(value string, changes ...func(*mesos.CommandInfo_URI)) *mesos.CommandInfo_URI {
	u := &mesos.CommandInfo_URI{Value: &value}
	for _, c := range changes {
		c(u)
	}
	return u
}

func executable(u *mesos.CommandInfo_URI)  { u.Executable = proto.Bool(true) }
func unextracted(u *mesos.CommandInfo_URI) { u.Extract = proto.Bool(false) }

func outputFile(name string) func(*mesos.CommandInfo_URI) {
	return func(u *mesos.CommandInfo_URI) { u.OutputFile = &name }
}

// tarball makes a compressed archive of files by name.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, content := range files {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, target, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// share serves a folder over HTTP.
func share(t *testing.T, dir string) string {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// warehouse is a folder with something of each kind to fetch.
func warehouse(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "plain.txt", "plain content\n")
	write(t, dir, "tool", "#!/bin/sh\necho tool ran\n")
	write(t, dir, "set.tar.gz", string(tarball(t, map[string]string{"inner/a.txt": "from the tarball\n"})))
	write(t, dir, "set.zip", string(zipped(t, map[string]string{"z.txt": "from the zip\n"})))
	return dir
}

func TestFetching(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	dir := warehouse(t)
	web := share(t, dir)
	var tasks []*mesos.TaskInfo
	for name, base := range map[string]string{"file": "file://" + dir, "http": web, "path": dir} {
		tasks = append(tasks, shell(name, `cat plain.txt && ./tool && cat inner/a.txt z.txt && test -x tool && test ! -x plain.txt && test -f set.tar.gz &&
test -s kept.tgz && test ! -e kept && cat deep/er/name && stat -c %U plain.txt deep/er/name`, user("nobody"), fetching(
			uri(base+"/plain.txt"), uri(base+"/tool", executable), uri(base+"/set.tar.gz"), uri(base+"/set.zip"),
			uri(base+"/set.tar.gz", unextracted, outputFile("kept.tgz")), uri(base+"/plain.txt", outputFile("deep/er/name")),
		)))
	}
	f.launch(tasks...)
	for _, task := range tasks {
		name := task.GetTaskId().GetValue()
		last := f.awaitStatus(name, "ends", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
		got := ""
		if last.GetState() == mesos.TaskState_TASK_FINISHED {
			got = f.sandboxFile(c.agents[0], name, "stdout")
		}
		if want := "plain content\ntool ran\nfrom the tarball\nfrom the zip\nplain content\nnobody\nnobody\n"; got != want {
			t.Errorf("%s: %s, %s: %q", name, last.GetState(), last.GetMessage(), got)
		}
	}
}

// What cannot be fetched, or would leave the sandbox, fails the task before it starts, and names the URI.
func TestFetchingFails(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	dir := warehouse(t)
	web := share(t, dir)
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, dir, "dotdot.tar.gz", string(tarball(t, map[string]string{"../../../../../../../../../.." + outside: "escaped"})))
	write(t, dir, "dotdot.zip", string(zipped(t, map[string]string{"../../../../../../../../../.." + outside: "escaped"})))
	write(t, dir, "link.tar.gz", string(tarball(t, map[string]string{"out": "-> /etc"})))
	write(t, dir, "broken.tar.gz", "this is no archive")
	secret := write(t, t.TempDir(), "secret", "nobody may read this")
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]*mesos.CommandInfo_URI{
		"no-file":         uri("file://" + dir + "/absent"),
		"http-404":        uri(web + "/absent"),
		"nobody-listens":  uri("http://" + freeAddress(t) + "/x"),
		"scheme":          uri("gopher://somewhere/x"),
		"output-dotdot":   uri(web+"/plain.txt", outputFile("../escaped")),
		"output-absolute": uri(web+"/plain.txt", outputFile("/tmp/escaped")),
		"tar-dotdot":      uri(web + "/dotdot.tar.gz"),
		"tar-link":        uri(web + "/link.tar.gz"),
		"zip-dotdot":      uri(web + "/dotdot.zip"),
		"broken":          uri(web + "/broken.tar.gz"),
		"unreadable":      uri("file://" + secret),
	}
	var tasks []*mesos.TaskInfo
	for name, u := range cases {
		tasks = append(tasks, shell(name, "echo started", user("nobody"), fetching(u)))
	}
	f.launch(tasks...)
	for name, u := range cases {
		last := f.awaitStatus(name, "ends", func(s *mesos.TaskStatus) bool { return terminal(s.GetState()) })
		if got := way(f.history(name)); got != "FAILED" || last.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
			t.Errorf("%s: %s, %s: %s", name, got, last.GetReason(), last.GetMessage())
		}
		if !strings.Contains(last.GetMessage(), u.GetValue()) {
			t.Errorf("%s: the message does not name the URI: %s", name, last.GetMessage())
		}
	}
	if exists(outside) || exists("/tmp/escaped") {
		t.Error("something was written outside of the sandbox")
	}
}

// A fetch that is under way when the task is killed ends with it.
func TestKillWhileFetching(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "beginning")
		w.(http.Flusher).Flush()
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	f.launch(shell("slow", "true", fetching(uri(server.URL+"/slow"))))
	<-asked
	f.kill("slow", 0)
	if s := f.end("slow", "KILLED"); s.GetReason() != mesos.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH {
		t.Errorf("the reason is %s", s.GetReason())
	}
}
