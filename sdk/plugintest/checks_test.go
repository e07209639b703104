package plugintest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Every check says what the contract says, and names a page and a heading that are there.
func TestReadOn(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for _, page := range []string{"docs/vendors/wire.md", "docs/vendors/README.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
			anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h[1]), "")
			headings[page+"#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	for _, kind := range []string{"allocator", "authorizer", "isolator"} {
		checks, err := checksOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if !strings.HasSuffix(c.says, ".") || !headings[c.read] {
				t.Errorf("%s, %q: the contract %q, on %s", kind, c.name, c.says, c.read)
			}
		}
	}
}

// Problems that repeat do not bury the others.
func TestMostProblems(t *testing.T) {
	t.Parallel()
	r := runCheck(t.Context(), Options{}, check{name: "x", says: "It holds.", run: func(b *bench) {
		for i := range 100 {
			b.errorf("problem %d", i)
		}
	}})
	if len(r.Problems) != mostProblems+1 || r.Problems[4] != "problem 4" || r.Problems[5] != "and 95 more problems of this check" {
		t.Errorf("%q", r.Problems)
	}
}

// A plugin for connections without TLS is not asked for it.
func TestPlain(t *testing.T) {
	t.Parallel()
	if r := runCheck(t.Context(), Options{Binary: "/nowhere", Plain: true}, check{run: checkTLS}); r.Skipped == "" || !r.Passed() {
		t.Errorf("%+v", r)
	}
}

// A plugin that does not serve Shutdown is ended by SIGTERM, as a host ends it.
func TestWithoutShutdown(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b := &bench{Options: Options{Timeout: 20 * time.Second}, ctx: context.Background()}
	p := &plugin{bench: b, conn: conn, cmd: exec.Command("sleep", "1000"), exited: make(chan struct{})}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	if p.shutdown(); len(b.problems) > 0 || !strings.Contains(p.cmd.ProcessState.String(), "terminated") {
		t.Errorf("%q, %v", b.problems, p.cmd.ProcessState)
	}
}
