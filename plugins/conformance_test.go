// Package plugins_test runs the conformance kit against the binary of each plugin that is shipped.
package plugins_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/plugintest"
)

var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mezzo-plugins-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	build := exec.Command("go", "build", "-o", dir, "./allocator-drf", "./authorizer-opa", "./isolator-cgroups")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the plugins: %v\n%s", err, out)
		return 1
	}
	// The tests mostly wait, so more of them than there are processors run at a time.
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func TestAllocatorDRF(t *testing.T) {
	t.Parallel()
	plugintest.Test(t, plugintest.Options{
		Kind: "allocator", Binary: filepath.Join(binaries, "allocator-drf"), Timeout: 30 * time.Second,
	})
}

func TestAuthorizerOPA(t *testing.T) {
	t.Parallel()
	policies, err := filepath.Abs("../configs/policies")
	if err != nil {
		t.Fatal(err)
	}
	plugintest.Test(t, plugintest.Options{
		Kind: "authorizer", Binary: filepath.Join(binaries, "authorizer-opa"), Timeout: 30 * time.Second,
		Config:     fmt.Sprintf(`{"policies":%q}`, policies),
		BadConfigs: []string{`{"policies":"/nowhere"}`},
	})
}

func TestIsolatorCgroups(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test needs root: it makes cgroups")
	}
	plugintest.Test(t, plugintest.Options{
		Kind: "isolator", Binary: filepath.Join(binaries, "isolator-cgroups"), Timeout: 30 * time.Second,
	})
}
