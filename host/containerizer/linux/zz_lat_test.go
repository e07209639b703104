//go:build linux

package linux_test

import (
	"context"
	"sort"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/plugins/isolator-cgroups/cgroups"
)

func TestLatencyProbe(t *testing.T) {
	for _, iso := range []bool{false, true} {
		var r *rig
		if iso { r = withCgroups(t, cgroups.Config{}) } else { r = newRig(t) }
		var a, b, c []float64
		for n := range 100 {
			spec := r.confined("c"+itoa(n), "", 100, 32000)
			spec.Command = containerizer.Command{Value: "/bin/true"}
			t0 := time.Now()
			r.c.Launch(context.Background(), spec)
			want[containerizer.Started](r, spec.ID)
			t1 := time.Now()
			want[containerizer.Exited](r, spec.ID)
			t2 := time.Now()
			want[containerizer.Cleaned](r, spec.ID)
			t3 := time.Now()
			a = append(a, t1.Sub(t0).Seconds()*1000); b = append(b, t2.Sub(t1).Seconds()*1000); c = append(c, t3.Sub(t2).Seconds()*1000)
			time.Sleep(30*time.Millisecond)
		}
		for _, x := range [][]float64{a, b, c} { sort.Float64s(x); t.Logf("iso %v p50 %.2f p90 %.2f p99 %.2f min %.2f", iso, x[50], x[90], x[98], x[0]) }
	}
}
