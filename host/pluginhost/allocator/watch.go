package allocator

import (
	"context"
	"fmt"
	"time"
)

const (
	// lookEvery is how often a driver looks whether its plugin gets anywhere.
	lookEvery = 5 * time.Second
	// stuckAfter is how long a plugin may take to consider what it was told, and how long it may propose nothing but what
	// is refused: some of it always is late.
	stuckAfter = 30 * time.Second
)

// watch reports a plugin whose process is well and which yet gives nobody anything: the stream has no deadline that it
// would miss, and a refusal is no mistake.
func (d *Driver) watch(ctx context.Context) error {
	ticker := time.NewTicker(d.lookEvery)
	defer ticker.Stop()
	var told string
	last, considered, useful := d.Stats(), time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		s, now := d.Stats(), time.Now()
		if s.Considered == s.Sent || s.Considered != last.Considered || s.Generation != last.Generation {
			considered = now
		}
		if s.Accepted != last.Accepted || s.Refused == 0 || s.Refused == last.Refused {
			useful = now
		}
		last = s
		problem := ""
		switch {
		case now.Sub(considered) >= d.stuckAfter:
			problem = fmt.Sprintf("for %v it has considered nothing of what happened: it hangs, or is too slow", d.stuckAfter)
		case now.Sub(useful) >= d.stuckAfter:
			problem = fmt.Sprintf("for %v the master has refused all that it proposed, the latest because %s", d.stuckAfter, s.Refusal)
		}
		if (problem == "") != (told == "") {
			told = problem
			d.plugin.Report(problem)
			if problem != "" {
				d.logger.Warn("nothing comes of the allocator", "problem", problem)
			}
		}
	}
}
