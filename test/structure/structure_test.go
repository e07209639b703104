// Package structure checks who imports whom, transitively, and what the programs link. The rules are those of
// docs/architecture.md.
package structure

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/mezzo-cluster/mezzo"
	sdk    = module + "/sdk"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

// list runs go list in a folder of the repository.
func list(t *testing.T, dir string, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, patterns...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v %s", patterns, err, err.(*exec.ExitError).Stderr)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) == 0 {
		t.Fatalf("go list %v found nothing", patterns)
	}
	return pkgs
}

func below(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

// forbid fails for every dependency of the packages that is below one of the roots.
func forbid(t *testing.T, pkgs []pkg, roots ...string) {
	t.Helper()
	for _, p := range pkgs {
		for _, d := range p.Deps {
			if below(d, roots...) {
				t.Errorf("%s depends on %s", p.ImportPath, d)
			}
		}
	}
}

func TestPluginsDoNotImportTheHost(t *testing.T) {
	t.Parallel()
	forbid(t, list(t, "../..", "./plugins/..."), module+"/host")
}

func TestSDKImportsNothingOfTheRepository(t *testing.T) {
	t.Parallel()
	pkgs := list(t, "../../sdk", "./...")
	forbid(t, pkgs, module+"/host", module+"/plugins")
}

func TestContractsAreOfTheStandardLibraryAndResources(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "../../sdk", "./allocator", "./authorizer", "./isolator", "./resource") {
		for _, d := range p.Deps {
			if strings.Contains(strings.SplitN(d, "/", 2)[0], ".") && d != sdk+"/resource" && !below(d, p.ImportPath) {
				t.Errorf("%s depends on %s", p.ImportPath, d)
			}
		}
	}
}

func TestStateMachinesDoNoIO(t *testing.T) {
	t.Parallel()
	forbid(t, list(t, "../..", "./host/master", "./host/agent", "./host/effect"),
		"google.golang.org/grpc", "net/http", "github.com/hashicorp/hcl", "github.com/hashicorp/go-plugin",
		module+"/host/api", module+"/host/pluginhost", module+"/host/daemon", module+"/host/config")
}

func TestOnlyThePluginHostSpeaksGoPlugin(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "../..", "./host/...") {
		if below(p.ImportPath, module+"/host/pluginhost") {
			continue
		}
		for _, i := range p.Imports {
			if below(i, "github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog") {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

func TestAPIKnowsTheMachinesAndNotTheDaemon(t *testing.T) {
	t.Parallel()
	forbid(t, list(t, "../..", "./host/api/...", "./host/access/..."), module+"/host/daemon", module+"/host/pluginhost", module+"/host/containerizer/linux")
}

// Only the daemon knows everything, and only the benchmarks (and tests) may run a plugin's work in process.
func TestOnlyTheDaemonIsWired(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "../..", "./host/...") {
		for _, i := range p.Imports {
			if i == module+"/host/daemon" && !below(p.ImportPath, module+"/host/cmd") {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
			if below(i, module+"/plugins") && !below(p.ImportPath, module+"/host/sim", module+"/host/cmd/mezzo-bench") {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// What a vendor's plugin begins with is text: only the command that writes it needs it, and it needs nothing of ours.
func TestScaffoldStandsAlone(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "../..", "./host/...") {
		if slices.Contains(p.Imports, module+"/host/scaffold") && p.ImportPath != module+"/host/cmd/mezzo" {
			t.Errorf("%s imports host/scaffold", p.ImportPath)
		}
		if p.ImportPath == module+"/host/scaffold" {
			forbid(t, []pkg{p}, module)
		}
	}
}

func TestHostLinksNoPluginNorWhatPluginsNeed(t *testing.T) {
	t.Parallel()
	forbid(t, list(t, "../..", "./host/cmd/mezzo", "./host/cmd/mezzo-init"),
		module+"/plugins", module+"/host/sim", "github.com/open-policy-agent", "github.com/containerd/cgroups", "github.com/NVIDIA", "github.com/Microsoft/hcsshim")
}

// mezzo-init is the first process of every container, so what it links is paid for by every task.
func TestInitIsSmall(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "../..", "./host/cmd/mezzo-init") {
		for _, d := range p.Deps {
			if below(d, "net", "net/http", "google.golang.org", "encoding/json", "log/slog") {
				t.Errorf("%s depends on %s", p.ImportPath, d)
			}
		}
	}
}
