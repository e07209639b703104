//go:build linux && !cgroups2

package linux_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// wantUnified says which version of cgroups the tests are about.
const wantUnified = false

// testMain runs the tests with a mezzo-init that it builds from the tree; or it is the agent of one of them.
func testMain(m *testing.M) int {
	if folder := os.Getenv(agentVariable); folder != "" {
		beAgent(folder)
	}
	folder, err := os.MkdirTemp("", "mezzo-init-*")
	if err == nil {
		err = os.Chmod(folder, 0o755) // the tasks of some tests run as another user
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	initPath = filepath.Join(folder, "mezzo-init")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", initPath,
		"github.com/mezzo-cluster/mezzo/host/cmd/mezzo-init")
	build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build mezzo-init:", err)
		return 1
	}
	return m.Run()
}

// TestSources reads what mezzo-init is built from, so that the go tool runs these tests again when that changes.
func TestSources(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../cmd/mezzo-init/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			t.Error(err)
		}
	}
}
