package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a vendor takes on with the SDK. The modules are those that `go list -m all` names, the vendor's own included,
// most of which are only looked at for versions; linked is those whose code is in the program or its tests.
const (
	mostModules = 58
	mostLinked  = 16
	mostBytes   = 15 << 20
)

// goTool runs the go command in a folder.
func goTool(t *testing.T, dir string, env []string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"GOWORK=off", "CGO_ENABLED=0"}, env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr(err))
	}
	return strings.Fields(string(out))
}

func stderr(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return ""
}

// A skeleton builds with what this repository has fetched, and the SDK weighs what is said here.
func TestWeight(t *testing.T) {
	t.Parallel()
	offline := []string{"GOPROXY=off", "GOFLAGS=-mod=mod"}
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new")
			p := mustNew(t, Options{Kind: kind, Name: "mine", Dir: dir, SDK: checkout})
			before := read(t, filepath.Join(dir, "go.mod"))
			binary := filepath.Join(dir, "bin", p.Program)
			goTool(t, dir, offline, "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
			goTool(t, dir, offline, "vet", "./...")
			if after := read(t, filepath.Join(dir, "go.mod")); after != before {
				t.Errorf("go.mod was not complete; it is now\n%s", after)
			}
			info, err := os.Stat(binary)
			if err != nil {
				t.Fatal(err)
			}
			linked := goTool(t, dir, offline, "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
			slices.Sort(linked)
			linked = slices.Compact(linked)
			modules := goTool(t, dir, nil, "list", "-m", "-f", "{{.Path}}", "all")
			t.Logf("%d bytes, %d modules linked of %d", info.Size(), len(linked), len(modules))
			if info.Size() > mostBytes {
				t.Errorf("the program has %d bytes, and may have %d", info.Size(), mostBytes)
			}
			if len(linked) > mostLinked {
				t.Errorf("code of %d modules is in it, and may be of %d: %v", len(linked), mostLinked, linked)
			}
			if len(modules) > mostModules {
				t.Errorf("it requires %d modules, and may require %d: %v", len(modules), mostModules, modules)
			}
		})
	}
}
