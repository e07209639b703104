//go:build !race && !mutant

package sim_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each planted bug is found by one of the fixed seeds.
func TestPlantedBugs(t *testing.T) {
	dir := t.TempDir()
	bugs := plantedBugs(t)
	if len(bugs) < 10 {
		t.Fatalf("%d planted bugs only", len(bugs))
	}
	free := make(chan struct{}, workers)
	for _, bug := range bugs {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			free <- struct{}{}
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			binary := filepath.Join(dir, bug)
			build := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags", "-s -w", "-tags", "mutant,mutant_"+bug, "-o", binary, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			run := exec.CommandContext(ctx, binary, "-test.run", "^TestUntilBroken$", "-test.v")
			out, err := run.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestUntilBroken") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// plantedBugs are named by the files of package mutant, one each.
func plantedBugs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "mutant", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range files {
		if name := strings.TrimSuffix(filepath.Base(path), ".go"); name != "mutant" && name != "none" {
			out = append(out, name)
		}
	}
	return out
}
