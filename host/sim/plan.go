package sim

import (
	"math/rand/v2"
	"time"

	"github.com/mezzo-cluster/mezzo/host/agent"
	"github.com/mezzo-cluster/mezzo/host/master"
)

// plan is what sort of world it is. It is drawn first, so that seeds differ in kind and not only in detail.
type plan struct {
	machines, schedulers int
	slowMessages         float64
	// faultEvery is how long the pauses between faults are, on average.
	faultEvery time.Duration
	// faults are those that this world has.
	faults []fault
	// lazy schedulers leave acknowledgements and offers lying about.
	lazy float64
	// sloppy schedulers ask for what cannot be.
	sloppy float64
	// authorize has agents authorize tasks.
	authorize bool
	// proposals is how many allocations the allocator proposes at once, at most.
	proposals int

	master master.Config
	agent  agent.Config
}

func newPlan(r *rand.Rand) plan {
	pick := func(d ...time.Duration) time.Duration { return d[r.IntN(len(d))] }
	share := func(f ...float64) float64 { return f[r.IntN(len(f))] }
	p := plan{
		machines: 1 + r.IntN(4), schedulers: 1 + r.IntN(3),
		slowMessages: share(0, 0.02, 0.1, 0.3),
		faultEvery:   pick(200*time.Millisecond, 500*time.Millisecond, time.Second, 3*time.Second),
		lazy:         share(0, 0.1, 0.3), sloppy: share(0, 0.05, 0.2),
		authorize: r.IntN(3) == 0, proposals: []int{1, 3, 1000}[r.IntN(3)],
	}
	if r.IntN(20) == 0 {
		p.machines, p.schedulers = 5+r.IntN(8), 2+r.IntN(4)
	}
	density := share(0.15, 0.4, 1)
	for _, f := range allFaults {
		if r.Float64() < density {
			p.faults = append(p.faults, f)
		}
	}
	p.master = master.Config{
		PingInterval: pick(time.Second, 2*time.Second, 4*time.Second), MaxMissedPings: 1 + r.IntN(3),
		ReregisterTimeout: pick(3*time.Second, 10*time.Second, 30*time.Second),
		HeartbeatInterval: pick(5*time.Second, 15*time.Second),
		OfferTimeout:      pick(0, 0, 2*time.Second, 8*time.Second),
		RegistryInterval:  pick(10*time.Second, time.Minute), RegistryMaxAge: pick(20*time.Second, time.Hour),
	}
	p.agent = agent.Config{
		Version: "1.0.0", IP: "10.0.0.1", WorkDir: "/work", AuthorizeTasks: p.authorize,
		KillGrace: pick(0, time.Second), ShutdownGrace: pick(time.Second, 3*time.Second),
		GCDelay: pick(5*time.Second, 30*time.Second), CleanupTimeout: pick(time.Second, 10*time.Second),
	}
	return p
}
