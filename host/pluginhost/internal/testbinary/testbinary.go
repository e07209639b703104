// Package testbinary builds the SDK's test plugin for the tests of the packages around it.
package testbinary

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Main builds the test plugin, runs the tests with its path in *binary, and exits. It is for TestMain.
func Main(m *testing.M, binary *string) {
	os.Exit(run(m, binary))
}

func run(m *testing.M, binary *string) int {
	dir, err := os.MkdirTemp("", "testplugin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*binary = filepath.Join(dir, "testplugin")
	build := exec.Command("go", "build", "-o", *binary, "github.com/mezzo-cluster/mezzo/sdk/plugintest/testplugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test plugin: %v\n%s", err, out)
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

// As gives the path of the test plugin as a plugin of a kind and mode.
func As(t testing.TB, binary, kind, mode string) string {
	t.Helper()
	path := filepath.Join(ShortDir(t), kind+"-"+mode)
	if err := os.Link(binary, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// ShortDir is a temporary folder with a path short enough for sockets, open to all users.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
