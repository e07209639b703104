//go:build mutant

package sim_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/mutant"
	"github.com/mezzo-cluster/mezzo/host/sim"
)

// In a build with a planted bug, one of the fixed seeds breaks a rule.
func TestUntilBroken(t *testing.T) {
	var mu sync.Mutex
	var found *sim.Result
	eachSeed(seeds, func(r sim.Result) bool {
		if r.Err == nil {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		found = &r
		return false
	})
	if found == nil {
		t.Fatalf("%d seeds have not found %s", seeds, mutant.Name)
	}
	rule, _, _ := strings.Cut(found.Err.Error(), "\n")
	t.Logf("seed %d: %s", found.Seed, rule)
}
