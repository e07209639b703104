//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/test/leak"
)

// chaosTime is for how long processes are killed.
const chaosTime = 12 * time.Second

// While tasks are launched, whatever process there is but the tasks is killed at any moment. In the end every task
// has come to one end at most, none is left, and all resources are on offer.
func TestKillAnythingAtAnyTime(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("MEZZO_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("MEZZO_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := startCluster(t, site{agents: 2})
	f := subscribe(t, c)
	launched := make(chan []string)
	stop := make(chan struct{})
	go func() { launched <- f.launchOn(stop) }()
	for end := time.Now().Add(chaosTime); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond) {
		c.killOne(random)
	}
	close(stop)
	ids := <-launched
	for _, d := range c.daemons() {
		d.startAgain()
	}
	c.wait()
	for _, kind := range []string{"allocator", "authorizer"} {
		ready(t, c.address, kind, 0)
	}
	for _, a := range c.agents {
		ready(t, a.address, "isolator", 0)
	}
	f.resubscribe()
	f.settle(ids)
	checkWholeOffers(t, f, 2)
}

// launchOn launches tasks, a few at a time, until it is stopped, and subscribes again where that is needed.
func (f *framework) launchOn(stop <-chan struct{}) (ids []string) {
	for {
		select {
		case <-stop:
			return ids
		case <-time.After(30 * time.Millisecond):
		}
		f.mu.Lock()
		var o *mesos.Offer
		if len(f.offers) > 0 {
			o = f.offers[0]
			f.drop(o.GetId().GetValue())
		}
		closed := f.closed
		f.mu.Unlock()
		switch {
		case closed != nil:
			_ = f.subscribe() // or the next time
		case o != nil:
			var tasks []*mesos.TaskInfo
			for range 3 {
				id := fmt.Sprintf("t%d", len(ids))
				ids = append(ids, id)
				tasks = append(tasks, shell(id, "sleep 0.2"))
			}
			_ = f.accept(o, tasks...) // a call that is lost is found out later
		}
	}
}

// killOne kills a daemon, and starts it again, or a plugin.
func (c *cluster) killOne(random *rand.Rand) {
	all := c.daemons()
	d := all[random.IntN(len(all))]
	if d.startAgain() {
		return
	}
	if random.IntN(2) == 0 {
		_ = syscall.Kill(d.pid(), syscall.SIGKILL)
		d.wait()
		d.start()
		return
	}
	var plugins []leak.Process
	for _, name := range []string{"allocator-drf", "authorizer-opa", "isolator-cgroups"} {
		plugins = append(plugins, descendants(c.t, d.pid(), filepath.Join(suite.bin, name))...)
	}
	if len(plugins) > 0 {
		_ = syscall.Kill(plugins[random.IntN(len(plugins))].PID, syscall.SIGKILL) // which may have ended meanwhile
	}
}

func (c *cluster) daemons() []*daemon {
	out := []*daemon{c.master}
	for _, a := range c.agents {
		out = append(out, a.daemon)
	}
	return out
}

// startAgain starts a daemon that has ended by itself. It may do that only when a plugin of its was killed while it
// started, with nothing to recover; then it does not start with less than it was told to.
func (d *daemon) startAgain() bool {
	d.t.Helper()
	if d.running() {
		return false
	}
	lines := strings.Split(strings.TrimSpace(d.output()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "mezzo: ") || !pluginName.MatchString(last) {
		d.t.Errorf("%s has ended by itself: %s", d.name, last)
	}
	d.start()
	return true
}

var pluginName = regexp.MustCompile(`(allocator "drf"|authorizer "opa"|isolator "cgroups"): `)

// settle waits until the master knows no task of these that has not ended, and checks that each has come to one end.
func (f *framework) settle(ids []string) {
	f.t.Helper()
	ended := func(id string) bool {
		for _, s := range f.history(id) {
			if terminal(s.GetState()) {
				return true
			}
		}
		// The call that was to launch it was lost.
		return f.latest(id).GetState() == mesos.TaskState_TASK_UNKNOWN
	}
	var asked sync.Once
	eventually(f.t, "all tasks have ended", func() error {
		var open []string
		for _, id := range ids {
			if !ended(id) {
				open = append(open, id)
			}
		}
		if len(open) == 0 {
			return nil
		}
		asked.Do(func() { f.ask(open...) })
		if time.Now().UnixMilli()%1000 < 25 { // about once a second
			f.ask(open...)
		}
		return fmt.Errorf("%d of %d have not: %s %s, ...", len(open), len(ids), open[0], way(f.history(open[0])))
	})
	finished := 0
	for _, id := range ids {
		ends := map[mesos.TaskState]bool{}
		for _, s := range f.history(id) {
			if terminal(s.GetState()) {
				ends[s.GetState()] = true
			}
		}
		if len(ends) > 1 {
			f.t.Errorf("%s went %s", id, way(f.history(id)))
		}
		if ends[mesos.TaskState_TASK_FINISHED] {
			finished++
		}
		if ends[mesos.TaskState_TASK_FAILED] || ends[mesos.TaskState_TASK_KILLED] || ends[mesos.TaskState_TASK_LOST] {
			f.t.Errorf("%s went %s: %v", id, way(f.history(id)), f.latest(id))
		}
	}
	f.t.Logf("of %d tasks %d finished", len(ids), finished)
	if finished == 0 {
		f.t.Error("no task finished")
	}
}
