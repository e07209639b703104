//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vendor runs a shell script as a vendor would, with mezzo in the PATH and no network to fetch modules from: what was
// fetched for this repository has to do.
func vendor(t *testing.T, dir, script string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("/bin/sh", "-e", "-x", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(environment(), "PATH="+suite.bin+":"+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	if err := suite.family.Start(cmd); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = suite.family.Wait(cmd) // the status says it
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func mustDo(t *testing.T, dir, script string) result {
	t.Helper()
	r := vendor(t, dir, script)
	if r.status != 0 {
		t.Fatalf("%s", r)
	}
	return r
}

const localCluster = "mezzo local local.hcl"

// printed are the commands that `mezzo plugin new` tells its user to go on with, but for the last, which starts a cluster.
func printed(t *testing.T, r result) string {
	t.Helper()
	_, rest, _ := strings.Cut(r.stdout, "\nTo build it")
	var lines []string
	for line := range strings.Lines(rest) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	if len(lines) < 4 || lines[len(lines)-1] != localCluster {
		t.Fatalf("it does not say how to go on: %s", r)
	}
	return strings.Join(lines[:len(lines)-1], "\n")
}

// A new plugin does what its kind's contract says, as it is written: the commands that are printed work.
func TestPluginNew(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"authorizer", "isolator"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			made := mustDo(t, dir, "mezzo plugin new "+kind+" mine --sdk "+filepath.Join(suite.root, "sdk"))
			r := mustDo(t, dir, printed(t, made)+"\ngo vet ./...\nmezzo config validate local.hcl\nmezzo plugin inspect bin/"+kind+"-mine")
			for _, want := range []string{"ok  \texample.com/" + kind + "-mine", "local.hcl  valid", "# mine 0.1.0: " + kind} {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("%q is not said: %s", want, r)
				}
			}
		})
	}
}

// The README's first plugin is an allocator, and its commands work as they stand there.
func TestReadmePlugin(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(suite.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## A first plugin\n")
	_, block, _ := strings.Cut(section, "\n```sh\n")
	block, _, _ = strings.Cut(block, "\n```\n")
	lines := strings.Split(block, "\n")
	last := strings.TrimSpace(strings.SplitN(lines[len(lines)-1], "#", 2)[0])
	if !strings.HasPrefix(block, "mezzo plugin new allocator ") || last != localCluster {
		t.Fatalf("the README's commands are\n%s", block)
	}
	// They are run in what looks like a checkout, so that nothing is written beside the real one.
	checkout := filepath.Join(t.TempDir(), "checkout")
	if err := os.Mkdir(checkout, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(suite.root, "sdk"), filepath.Join(checkout, "sdk")); err != nil {
		t.Fatal(err)
	}
	mustDo(t, checkout, strings.Join(lines[:len(lines)-1], "\n")+"\nmezzo config validate local.hcl")
}

// A cluster of one machine uses the new plugin by the configuration that comes with it. It needs the ports that Mezzo
// has by default.
func TestPluginNewInUse(t *testing.T) {
	for _, kind := range []string{"allocator", "authorizer", "isolator"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			mustDo(t, dir, fmt.Sprintf("mezzo plugin new %[1]s mine --dir new --sdk %[2]s/sdk\ncd new\ngo build -o bin/%[1]s-mine .", kind, suite.root))
			d := newDaemon(t, "local", dir, "local", filepath.Join(dir, "new", "local.hcl"))
			d.start()
			defer d.end(syscall.SIGTERM)
			eventually(t, "the cluster is there", func() error { return healthy("127.0.0.1:5050") })
			want := "site "
			if kind == "isolator" {
				want = "site berlin"
			}
			if r := command(t, "mezzo", "run", "--", "echo site $SITE"); r.status != 0 || strings.TrimSpace(r.stdout) != strings.TrimSpace(want) {
				t.Errorf("%s", r)
			}
			p, err := plugin("127.0.0.1:5050", kind)
			if kind == "isolator" {
				p, err = plugin("127.0.0.1:5051", kind)
			}
			if err != nil || p.Name != "mine" || p.State != "ready" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// What cannot be written is refused, with nothing left behind.
func TestPluginNewRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustSay(t, command(t, "mezzo", "plugin", "new", "allocator"), 2, "accepts 2 arg(s)")
	mustSay(t, command(t, "mezzo", "plugin", "new", "allocater", "mine", "--dir", filepath.Join(dir, "a")), 1, `"allocater"`, "allocator, authorizer, isolator")
	mustSay(t, command(t, "mezzo", "plugin", "new", "allocator", "Mine", "--dir", filepath.Join(dir, "a")), 1, `did you mean "mine"?`)
	write(t, dir, "full", "")
	mustSay(t, command(t, "mezzo", "plugin", "new", "allocator", "mine", "--dir", dir, "--sdk", filepath.Join(suite.root, "sdk")), 1, "is not empty: it has full")
	entries, err := os.ReadDir(dir)
	if err != nil || !slices.EqualFunc(entries, []string{"full"}, func(e os.DirEntry, s string) bool { return e.Name() == s }) {
		t.Errorf("%v, %v", entries, err)
	}
	r := vendor(t, dir, "mezzo plugin new --help")
	for _, want := range []string{"Examples:", "--sdk", "mezzo plugin new allocator mine"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("--help does not say %q: %s", want, r)
		}
	}
}
