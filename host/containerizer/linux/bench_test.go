//go:build linux && !cgroups2

package linux_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/plugins/isolator-cgroups/cgroups"
)

// BenchmarkForkExec is what BenchmarkLaunch is compared with: the command alone.
func BenchmarkForkExec(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLaunch runs containers to their end, one after the other and eight at once.
func BenchmarkLaunch(b *testing.B) {
	for _, c := range []struct {
		name     string
		isolated bool
		parallel int
	}{{"plain/one", false, 1}, {"plain/eight", false, 8}, {"cgroups/one", true, 1}, {"cgroups/eight", true, 8}} {
		b.Run(c.name, func(b *testing.B) {
			var r *rig
			if c.isolated {
				r = withCgroups(b, cgroups.Config{})
			} else {
				r = newRig(b)
			}
			launch := func(n int) {
				spec := r.confined("c"+itoa(n), "", 100, 32000)
				spec.Command = containerizer.Command{Value: "/bin/true"}
				spec.Sandbox = r.sandbox("all")
				r.c.Launch(context.Background(), spec)
			}
			launched, cleaned := 0, 0
			b.ResetTimer()
			for cleaned < b.N {
				for launched < b.N && launched-cleaned < c.parallel {
					launch(launched)
					launched++
				}
				if e, ok := (<-r.c.Events()).(containerizer.Cleaned); ok {
					if e.Err != nil {
						b.Fatal(e.Err)
					}
					r.c.Destroy(context.Background(), e.ID)
					cleaned++
				}
			}
		})
	}
}
