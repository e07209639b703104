//go:build linux

package cgroups

import (
	"context"
	"fmt"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// memoryReport is what a cgroup says about its memory.
type memoryReport struct {
	kills       uint64 // processes that were killed because there was none left
	used, limit *uint64
	stat        string
}

// verdict is what is known of a container's limits. It outlives the container for a while, for those who ask just after
// it was cleaned up.
type verdict struct {
	reached *isolator.Limitation // nil when none was
	cleaned chan struct{}        // closed when the container is cleaned up
	until   time.Time            // when it is to be forgotten, once it is
}

// memory of verdicts: how long, once a container is cleaned up.
const verdictsKept = time.Minute

// verdictOf is a container's verdict.
func (i *Isolator) verdictOf(g group) *verdict {
	i.mu.Lock()
	defer i.mu.Unlock()
	v := i.verdicts[g.path()]
	if v == nil {
		v = &verdict{cleaned: make(chan struct{})}
		i.verdicts[g.path()] = v
	}
	return v
}

// judge looks whether a container has run out of memory, and returns the limitation if so.
func (i *Isolator) judge(g group) *isolator.Limitation {
	v := i.verdictOf(g)
	report := i.hierarchy.outOfMemory(g)
	i.mu.Lock()
	defer i.mu.Unlock()
	if v.reached == nil && report.kills > 0 {
		l := report.limitation()
		v.reached = &l
	}
	return v.reached
}

// close ends the watches of a container that is cleaned up.
func (i *Isolator) close(g group) {
	v := i.verdictOf(g)
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-v.cleaned:
	default:
		close(v.cleaned)
	}
	now := time.Now()
	v.until = now.Add(verdictsKept)
	if v.reached == nil {
		delete(i.verdicts, g.path())
	}
	for key, other := range i.verdicts {
		if !other.until.IsZero() && other.until.Before(now) {
			delete(i.verdicts, key)
		}
	}
}

// Watch tells when the container runs out of memory: once, since the agent destroys it then.
func (i *Isolator) Watch(ctx context.Context, c isolator.Container, emit func(isolator.Limitation) error) error {
	g, _, err := i.open(c)
	if err != nil {
		return err
	}
	v := i.verdictOf(g)
	signals, stop, err := i.hierarchy.watch(g)
	if err == nil {
		defer stop()
	} else if i.judge(g) == nil {
		i.close(g) // nothing is known of it
		return sdk.Errorf(sdk.NotFound, "watch the cgroup of container %s: %w", c.ID, err)
	}
	if reached := i.wait(ctx, g, v, signals); reached != nil {
		if err := emit(*reached); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-v.cleaned:
		}
	}
	return nil
}

// wait returns the limitation once there is one, or nil when the container is cleaned up without any.
func (i *Isolator) wait(ctx context.Context, g group, v *verdict, signals <-chan struct{}) *isolator.Limitation {
	var again <-chan time.Time
	looks := 0
	for {
		if reached := i.judge(g); reached != nil {
			return reached
		}
		select {
		case _, ok := <-signals:
			if !ok {
				signals = nil
			}
			looks = looksAfterSignal
		case <-again:
			looks--
		case <-ctx.Done():
			return i.last(v)
		case <-v.cleaned:
			return i.last(v)
		}
		again = nil
		if looks > 0 {
			again = time.After(lookPause)
		}
	}
}

// last is the verdict on a container that is gone, or no longer watched.
func (i *Isolator) last(v *verdict) *isolator.Limitation {
	i.mu.Lock()
	defer i.mu.Unlock()
	return v.reached
}

// Version 1 speaks up before it kills and counts, so the count is looked at for a second after that.
const (
	lookPause        = 10 * time.Millisecond
	looksAfterSignal = 100
)

// limitation is the report in Mesos's words.
func (r memoryReport) limitation() isolator.Limitation {
	l := isolator.Limitation{Reason: isolator.LimitationMemory}
	requested, used := "unlimited", "unknown"
	if r.limit != nil {
		l.Limit = *r.limit
		requested = megabytes(*r.limit)
		l.Resources, _ = resource.New(resource.Resource{ // a positive number of mem is always well formed
			Name: "mem", Kind: resource.KindScalar, Scalar: resource.Scalar(*r.limit / (1 << 10) * 1000 / (1 << 10)), //nolint:gosec // far below
		})
	}
	if r.used != nil {
		l.Used = *r.used
		used = megabytes(*r.used)
	}
	l.Message = fmt.Sprintf("Memory limit exceeded: Requested: %s Maximum Used: %s\n\nMEMORY STATISTICS: \n%s\n", requested, used, r.stat)
	return l
}

func megabytes(n uint64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%dMB", n>>20)
	}
	return fmt.Sprintf("%.2fMB", float64(n)/(1<<20))
}
