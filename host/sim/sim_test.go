package sim_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/sim"
)

const (
	// steps is how many steps each seed has before its faults stop.
	steps = 800
	// workers is how many seeds run at once.
	workers = 2
)

// eachSeed runs the fixed seeds, some at once, until do returns false.
func eachSeed(seeds uint64, do func(sim.Result) bool) {
	var next atomic.Uint64
	var stop atomic.Bool
	var all sync.WaitGroup
	for range min(workers, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for seed := next.Add(1); seed <= seeds && !stop.Load(); seed = next.Add(1) {
				if !do(sim.Run(sim.Options{Seed: seed, Steps: steps})) {
					stop.Store(true)
				}
			}
		})
	}
	all.Wait()
}

// Whatever happens to a cluster, no rule is broken; a seed makes the same run each time; and all that can happen
// does in some of them.
func TestSeeds(t *testing.T) {
	var mu sync.Mutex
	covered, hashes, ran := sim.Coverage{}, map[string]uint64{}, 0
	eachSeed(seeds, func(r sim.Result) bool {
		again := sim.Run(sim.Options{Seed: r.Seed, Steps: steps})
		mu.Lock()
		defer mu.Unlock()
		ran += r.Steps
		covered.Add(r.Coverage)
		switch {
		case r.Err != nil:
			t.Errorf("seed %d: %v\nsee it with: mezzo-bench sim --seed %d --steps %d --verbose", r.Seed, r.Err, r.Seed, steps)
		case r.Hash != again.Hash:
			t.Errorf("seed %d: two runs differ", r.Seed)
		case hashes[r.Hash] != 0:
			t.Errorf("seeds %d and %d have the same hash", r.Seed, hashes[r.Hash])
		case r.Steps < steps:
			t.Errorf("seed %d: %d steps only", r.Seed, r.Steps)
		}
		hashes[r.Hash] = r.Seed
		return !t.Failed()
	})
	t.Logf("%d seeds, %d steps, each twice", len(hashes), ran)
	if t.Failed() || !complete {
		return
	}
	for _, want := range expected(t) {
		if covered[want] == 0 {
			t.Errorf("%q never happened", want)
		}
	}
}

// expected is all that can happen, as coverage names it.
func expected(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, machine := range []string{"master", "agent"} {
		for _, kind := range []string{"event", "effect"} {
			types := sealed(t, filepath.Join("..", machine), kind)
			if len(types) < 10 {
				t.Errorf("package %s has %d types of %s only: is this test looking in the right place?", machine, len(types), kind)
			}
			for _, name := range types {
				out = append(out, kind+" "+machine+" "+name)
			}
		}
	}
	for _, f := range sim.Faults() {
		out = append(out, "fault "+f)
	}
	for _, s := range []string{
		"STAGING", "STARTING", "RUNNING", "KILLING", "FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED",
		"UNREACHABLE", "GONE", "UNKNOWN",
	} {
		out = append(out, "state TASK_"+s)
	}
	for _, timer := range []string{
		"master heartbeat", "master failover", "master ping", "master reregister", "master offer", "master recovery",
		"master registry", "agent ping", "agent register", "agent update", "agent kill", "agent completion",
		"agent cleanup", "agent sandbox", "agent exit",
	} {
		out = append(out, "timer "+timer)
	}
	return out
}

// sealed are the types of a package that have a method of a name which seals an interface.
func sealed(t *testing.T, dir, method string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != method || len(f.Type.Params.List) > 0 {
				continue
			}
			if receiver, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
				out = append(out, receiver.Name)
			}
		}
	}
	return out
}
