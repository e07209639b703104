//go:build unix

package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// program copies a program of the machine, since tests change it.
func program(t *testing.T, name string) string {
	t.Helper()
	from, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *Binary {
	t.Helper()
	b, err := OpenBinary(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// printed is what a process prints, to be read when it has ended.
type printed struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buffer.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buffer.String()
}

func newProcess(t *testing.T, b *Binary, env ...string) (*Process, *printed, *printed) {
	t.Helper()
	var stdout, stderr printed
	p, err := New(Spec{Binary: b, Name: "kind-name", LinkDir: t.TempDir(), Env: env, SocketDir: t.TempDir(), Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		t.Fatal(err)
	}
	return p, &stdout, &stderr
}

func run(t *testing.T, p *Process) string {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := io.ReadAll(p.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	return string(first)
}

// TestRunsWhatWasHashed replaces the file between hashing and starting: what was hashed runs.
func TestRunsWhatWasHashed(t *testing.T) {
	t.Parallel()
	path := program(t, "env")
	b := open(t, path)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho the wrong one\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	p, stdout, _ := newProcess(t, b, "FIRST=1", "SECOND=2")
	if first := run(t, p); first != "FIRST=1\n" || stdout.String() != "SECOND=2\n" {
		t.Errorf("it printed %q and %q", first, stdout)
	}
	if err := p.Wait(t.Context()); err != nil || p.ExitText() != "exit status 0" {
		t.Errorf("%v, %s", err, p.ExitText())
	}
}

// TestChangedWhileStarted writes into the file itself after it was hashed.
func TestChangedWhileStarted(t *testing.T) {
	t.Parallel()
	path := program(t, "sleep")
	b := open(t, path)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("something else"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p, _, _ := newProcess(t, b)
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "was written to while it was being started") {
		t.Errorf("got %v", err)
	}
	<-p.Exited()
}

func TestScript(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho first\necho second\necho third >&2\nread line || echo host is gone\nexit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, stdout, stderr := newProcess(t, open(t, path))
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(p.Stdout()).ReadString('\n')
	if err != nil || first != "first\n" {
		t.Errorf("%q, %v", first, err)
	}
	select {
	case <-p.Exited():
		t.Error("it did not wait for its standard input")
	default:
	}
	p.stdin.Close()
	<-p.Exited()
	if stdout.String() != "second\nhost is gone\n" || stderr.String() != "third\n" {
		t.Errorf("it printed %q and %q", stdout, stderr)
	}
	if err := p.Wait(t.Context()); err == nil || p.ExitText() != "exit status 5" {
		t.Errorf("%v, %s", err, p.ExitText())
	}
}

// TestScriptIsSealed writes into a script while it is read: what was hashed runs to its end. It belongs to
// another user than the one who runs it, who need not be able to read it.
func TestScriptIsSealed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere scripts are run where they are")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this needs root, to run the script as somebody else")
	}
	path := filepath.Join(t.TempDir(), "script")
	text := "#!/bin/sh\necho first\nread line\n" + strings.Repeat("# more than a shell reads at once\n", 10000) + "echo honest\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	change := func() {
		if err := os.WriteFile(path, []byte(strings.Replace(text, "honest", "hijack", 1)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, early := range []bool{false, true} {
		var stdout printed
		links, err := os.MkdirTemp("", "links")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(links) })
		if err := os.Chmod(links, 0o711); err != nil {
			t.Fatal(err)
		}
		p, err := New(Spec{Binary: b, Name: "kind-name", LinkDir: links, User: "nobody", SocketDir: t.TempDir(), Stdout: &stdout, Stderr: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if early {
			change()
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first, err := bufio.NewReader(p.Stdout()).ReadString('\n'); err != nil || first != "first\n" {
			t.Errorf("%q, %v", first, err)
		}
		change()
		p.stdin.Close()
		<-p.Exited()
		if stdout.String() != "honest\n" {
			t.Errorf("changed early: %v; it printed %q", early, &stdout)
		}
	}
	if _, err := b.file.WriteAt([]byte("x"), 0); err == nil {
		t.Error("what is executed can be written to")
	}
}

// TestNamed: the system calls the process what it was named, be it a program or a script, of whatever user. A program's
// first argument is where it was found, and a script's interpreter gets a path that ends in the name.
func TestNamed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the path is executed, and names the process")
	}
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh -e\nread line\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cat := program(t, "cat")
	for _, tt := range []struct{ path, arguments string }{{cat, cat}, {path, "/bin/sh -e LINKS/kind-name"}} {
		p, _, _ := newProcess(t, open(t, tt.path))
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		folder := "/proc/" + p.ID()
		becomes(t, folder+"/comm", "kind-name\n")
		becomes(t, folder+"/cmdline", strings.ReplaceAll(strings.ReplaceAll(tt.arguments, "LINKS", p.spec.LinkDir), " ", "\x00")+"\x00")
		p.stdin.Close()
		<-p.Exited()
	}
}

// becomes waits until a file of /proc says something: the kernel fills it in a little after a start is over.
func becomes(t *testing.T, file, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, err := os.ReadFile(file)
		if err == nil && string(got) == want {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Errorf("%s says %q, not %q: %v", file, got, want, err)
			return
		}
	}
}

// TestNotExecutable: what cannot be executed is explained.
func TestNotExecutable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"#! /nowhere/python3 -I\nimport sys\n": `asks for the interpreter "/nowhere/python3", which is not there`,
		"#!/nowhere/python3":                   `asks for the interpreter "/nowhere/python3", which is not there`,
		"import sys\n":                         "neither a program for this machine nor a script that begins with #!",
	} {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		p, _, _ := newProcess(t, open(t, path))
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 1000; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, _, _ := newProcess(t, open(t, path), "PATH=/bin:/usr/bin")
	if p.ID() != "" {
		t.Errorf("ID %q before the start", p.ID())
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(p.Stdout()).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := p.Terminate(); err != nil {
		t.Error(err)
	}
	if err := p.Kill(context.Background()); err != nil {
		t.Error(err)
	}
	<-p.Exited()
	if p.ExitText() != "signal: killed" || !p.Killed() {
		t.Errorf("%s", p.ExitText())
	}
	if err := p.Kill(context.Background()); err != nil {
		t.Errorf("killed again: %v", err)
	}
}

func TestOpenBinary(t *testing.T) {
	t.Parallel()
	path := program(t, "true")
	sum := open(t, path).SHA256
	if _, err := OpenBinary(path, strings.Repeat("0", 64)); !errors.Is(err, ErrChecksum) {
		t.Errorf("got %v", err)
	}
	b, err := OpenBinary(path, sum)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := OpenBinary("/nowhere", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenBinary("/dev/null", ""); err == nil || !strings.Contains(err.Error(), "special file") {
		t.Errorf("got %v", err)
	}
}

// TestOnlyOwnSockets: a plugin cannot have its host connect to whatever it likes.
func TestOnlyOwnSockets(t *testing.T) {
	t.Parallel()
	p, _, _ := newProcess(t, open(t, program(t, "true")))
	if _, _, err := p.PluginToHost("unix", p.spec.SocketDir+"/plugin1"); err != nil {
		t.Error(err)
	}
	for _, a := range [][2]string{
		{"unix", "/run/docker.sock"}, {"unix", p.spec.SocketDir + "/../x"}, {"unix", p.spec.SocketDir + "/a/b"},
		{"unix", p.spec.SocketDir}, {"tcp", "127.0.0.1:5050"}, {"unix", "plugin1"},
	} {
		if _, _, err := p.PluginToHost(a[0], a[1]); err == nil {
			t.Errorf("%v is taken", a)
		}
	}
}

// TestLines: however the bytes come, the lines are the same.
func TestLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[a-z ]{0,20}`)).Draw(t, "lines")
		text := []byte(strings.Join(lines, "\n"))
		var got []string
		l := NewLines(func(line []byte) { got = append(got, string(line)) })
		for len(text) > 0 {
			n := rapid.IntRange(1, len(text)).Draw(t, "n")
			if written, err := l.Write(text[:n]); written != n || err != nil {
				t.Fatalf("%d, %v", written, err)
			}
			text = text[n:]
		}
		l.Close()
		want := strings.TrimSuffix(strings.Join(lines, "\n"), "\n")
		if strings.Join(got, "\n") != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestLongLine(t *testing.T) {
	t.Parallel()
	var got []string
	l := NewLines(func(line []byte) { got = append(got, string(line)) })
	for range 10 {
		_, _ = l.Write(bytes.Repeat([]byte("x"), maxLine/2))
	}
	_, _ = l.Write([]byte("\nshort\r\n"))
	if len(got) != 2 || len(got[0]) > maxLine+100 || !strings.HasSuffix(got[0], " (262144 more bytes were cut off)") || got[1] != "short" {
		t.Errorf("got %d lines, the last %q", len(got), got[len(got)-1])
	}
}

// TestFirstLine: the first line goes one way, all else the other, however the bytes come.
func TestFirstLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching(`[a\n]{0,30}`).Draw(t, "text"))
		var first, rest bytes.Buffer
		f := &firstLine{first: &first, rest: &rest}
		for left := text; len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "n")
			_, _ = f.Write(left[:n])
			left = left[n:]
		}
		line, after, _ := bytes.Cut(text, []byte("\n"))
		if got := bytes.TrimSuffix(first.Bytes(), []byte("\n")); !bytes.Equal(got, line) || !bytes.Equal(rest.Bytes(), after) {
			t.Fatalf("got %q and %q of %q", first.Bytes(), rest.Bytes(), text)
		}
	})
}

func TestEndlessFirstLine(t *testing.T) {
	t.Parallel()
	var first, rest bytes.Buffer
	f := &firstLine{first: &first, rest: &rest}
	for range 10 {
		_, _ = f.Write(bytes.Repeat([]byte("x"), maxFirst/2))
	}
	if first.Len() != maxFirst+1 || rest.Len() != 4*maxFirst {
		t.Errorf("%d and %d bytes", first.Len(), rest.Len())
	}
}
