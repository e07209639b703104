package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mezzo-cluster/mezzo/sdk"

// goTool runs the go command in a folder, without the network.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A kind's contract is plain Go: whoever implements it needs neither gRPC nor protobuf to read or test it.
func TestContractsImportNothing(t *testing.T) {
	t.Parallel()
	for pkg, allowed := range map[string][]string{
		".": nil, "./resource": nil, "./authorizer": nil, "./proto/handshake": nil,
		"./allocator": {module + "/resource"}, "./isolator": {module + "/resource"},
	} {
		for _, dep := range strings.Fields(goTool(t, ".", "list", "-deps", pkg)) {
			own := dep == module || dep == module+strings.TrimPrefix(pkg, ".")
			if strings.Contains(dep, ".") && !own && !slices.Contains(allowed, dep) {
				t.Errorf("%s imports %s", pkg, dep)
			}
		}
	}
}

// Only serving, and the wire's own packages, need gRPC; only serving needs go-plugin.
func TestOnlyServeImportsGoPlugin(t *testing.T) {
	t.Parallel()
	for _, line := range strings.Split(goTool(t, ".", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./..."), "\n") {
		pkg, imports, _ := strings.Cut(line, " ")
		inside := strings.TrimPrefix(pkg, module)
		for _, i := range strings.Fields(imports) {
			wire := strings.HasPrefix(inside, "/proto/") || inside == "/plugintest" || strings.HasPrefix(inside, "/plugintest/")
			if inside != "/serve" && (strings.HasPrefix(i, "github.com/hashicorp/go-plugin") || strings.HasPrefix(i, "google.golang.org/grpc")) && !wire {
				t.Errorf("%s imports %s", pkg, i)
			}
			if strings.HasPrefix(i, "github.com/mezzo-cluster/mezzo/") && !strings.HasPrefix(i, module) {
				t.Errorf("%s imports %s, which is not of the SDK", pkg, i)
			}
		}
	}
}

// What a vendor takes on with the SDK: so many modules, and a program of that size.
const (
	mostModules = 20
	mostBytes   = 16 << 20
)

func TestVendorModule(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("go.mod", "module example.com/binpack\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	write("go.sum", read("go.sum"))
	write("main.go", read("examples/allocator-binpack/main.go"))
	if n := len(strings.Fields(read("examples/allocator-binpack/main.go"))); n > 250 {
		t.Errorf("the smallest plugin has %d words", n)
	}
	modules := strings.Split(strings.TrimSpace(goTool(t, dir, "list", "-m", "all")), "\n")
	if len(modules) > mostModules {
		t.Errorf("a vendor's module requires %d modules, and may require %d:\n%s", len(modules), mostModules, strings.Join(modules, "\n"))
	}
	goTool(t, dir, "build", "-trimpath", "-ldflags=-s -w", "-o", "plugin", ".")
	info, err := os.Stat(filepath.Join(dir, "plugin"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > mostBytes {
		t.Errorf("the smallest plugin has %d bytes, and may have %d", info.Size(), mostBytes)
	}
}
