package sim_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/sim"
)

func TestTry(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	n, _ := strconv.Atoi(os.Getenv("N"))
	if os.Getenv("TRACE") != "" {
		r := sim.Run(sim.Options{Seed: seed, Steps: 500, Trace: os.Stdout})
		t.Log(r.Err)
		return
	}
	bad := 0
	cover := sim.Coverage{}
	var steps, tasks, ended, updates, faults int
	for i := range uint64(n) {
		r := sim.Run(sim.Options{Seed: seed + i, Steps: 500})
		cover.Add(r.Coverage)
		steps += r.Steps
		tasks += r.Tasks
		ended += r.Ended
		updates += r.Updates
		faults += r.Faults
		if r.Err != nil {
			e := r.Err.Error()
			if len(e) > 900 {
				e = e[:900]
			}
			t.Logf("seed %d: steps %d: %v", seed+i, r.Steps, e)
			if bad++; bad > 12 {
				break
			}
		}
	}
	t.Log(bad, steps, tasks, ended, updates, faults)
	if os.Getenv("COVER") != "" {
		for _, k := range cover.Keys() {
			t.Log(k, cover[k])
		}
	}
}
