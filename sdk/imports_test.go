package sdk_test

import (
	"os"
	"os/exec"
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
