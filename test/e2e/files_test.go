//go:build linux

package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
)

// What a task writes is read over HTTP and by `mezzo logs`, and nothing else is.
func TestSandboxFiles(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	a, f := c.agents[0], subscribe(t, c)
	f.launch(shell("writer", `echo to stdout; echo to stderr >&2; mkdir folder; echo deep >folder/file; ln -s /etc/passwd link; ln -s / root; printf '%0100000d' 7 >large`))
	f.end("writer", "STARTING RUNNING FINISHED")
	for file, want := range map[string]string{"stdout": "to stdout\n", "stderr": "to stderr\n", "folder/file": "deep\n"} {
		if got := f.sandboxFile(a, "writer", file); got != want {
			t.Errorf("%s: %q", file, got)
		}
	}
	if got := f.sandboxFile(a, "writer", "large"); len(got) != 100000 || !strings.HasSuffix(got, "07") {
		t.Errorf("large: %d bytes", len(got))
	}
	checkBrowse(t, a, f)
	for _, file := range []string{"link", "root/etc/passwd", "../../../../../../etc/passwd", "folder/../../../../x", "absent"} {
		r := ask(t, http.MethodGet, a.address, "/files/download?path="+url.QueryEscape(f.sandboxPath("writer", file)), "", nil)
		if r.status != http.StatusNotFound {
			t.Errorf("%s: %d %.100q", file, r.status, r.body)
		}
	}
	if r := ask(t, http.MethodGet, a.address, "/files/download?path=/etc/passwd", "", nil); r.status != http.StatusNotFound {
		t.Errorf("/etc/passwd: %d", r.status)
	}
}

func checkBrowse(t *testing.T, a *agent, f *framework) {
	t.Helper()
	var listing []struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
		Mode string `json:"mode"`
		UID  string `json:"uid"`
	}
	if err := getJSON(a.address, "/files/browse?path="+url.QueryEscape(f.sandboxPath("writer", "")), &listing); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range listing {
		names[e.Path[strings.LastIndexByte(e.Path, '/')+1:]] = true
		if strings.HasSuffix(e.Path, "/large") && (e.Size != 100000 || e.UID != "root" || !strings.HasPrefix(e.Mode, "-rw")) {
			t.Errorf("browse has %+v", e)
		}
	}
	for _, name := range []string{"stdout", "stderr", "folder", "large"} {
		if !names[name] {
			t.Errorf("%s is not listed: %+v", name, listing)
		}
	}
	var piece struct {
		Data   string `json:"data"`
		Offset int64  `json:"offset"`
	}
	path := "/files/read?offset=3&length=4&path=" + url.QueryEscape(f.sandboxPath("writer", "stdout"))
	if err := getJSON(a.address, path, &piece); err != nil || piece.Data != "stdo" || piece.Offset != 3 {
		t.Errorf("read: %+v %v", piece, err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	f := subscribe(t, c)
	f.launch(shell("talker", "echo out; echo err >&2; echo other >file"), shell("slow", "for i in 1 2 3 4 5; do echo line $i; sleep 0.4; done"))
	f.await("slow", mesos.TaskState_TASK_RUNNING)
	if r := c.mezzo("logs", "-f", "slow"); r.status != 0 || r.stdout != "line 1\nline 2\nline 3\nline 4\nline 5\n" {
		t.Errorf("logs -f: %s", r)
	}
	f.end("talker", "STARTING RUNNING FINISHED")
	for _, one := range []struct {
		args []string
		want string
	}{
		{[]string{"talker"}, "out\n"}, {[]string{"--stderr", "talker"}, "err\n"}, {[]string{"--file", "file", "talker"}, "other\n"},
		{[]string{"--framework", f.id.GetValue(), "talker"}, "out\n"},
	} {
		if r := c.mezzo(append([]string{"logs"}, one.args...)...); r.status != 0 || r.stdout != one.want {
			t.Errorf("logs %v: %s", one.args, r)
		}
	}
	for _, args := range [][]string{{"no-such-task"}, {"--file", "absent", "talker"}} {
		if r := c.mezzo(append([]string{"logs"}, args...)...); r.status != 1 || r.stdout != "" || !strings.Contains(r.stderr, args[len(args)-1]) {
			t.Errorf("logs %v: %s", args, r)
		}
	}
}
