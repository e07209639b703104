package supervise

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func machine() *Machine { return New(rand.New(rand.NewPCG(1, 2))) }

func TestLife(t *testing.T) {
	t.Parallel()
	m, now := machine(), time.Unix(0, 0)
	if m.Step(now, Started); m.State() != Ready {
		t.Fatal(m.State())
	}
	full := Least
	alarms := 0
	for i := range 14 {
		action := m.Step(now, Ended)
		if !action.Kill || action.Start || action.Wait > full || action.Wait < full*3/4 {
			t.Fatalf("end %d: %+v, want a wait just under %v", i, action, full)
		}
		wantState := BackingOff
		if full == Most {
			wantState = Failed
		}
		if m.State() != wantState {
			t.Fatalf("end %d: %s, want %s", i, m.State(), wantState)
		}
		if action.Alarm {
			alarms++
		}
		if action := m.Step(now, Waited); !action.Start || m.State() != Starting || m.Restarts() != i+1 {
			t.Fatalf("end %d: %+v, %s", i, action, m.State())
		}
		full = min(full*2, Most)
	}
	if alarms != 1 {
		t.Errorf("%d alarms, want one", alarms)
	}
	m.Step(now, Started)
	now = now.Add(Settled)
	if action := m.Step(now, Ended); action.Wait > Least {
		t.Errorf("after a settled time: %+v", action)
	}
	m.Step(now, Waited)
	if action := m.Step(now, Stop); !action.Kill || m.State() != Stopping {
		t.Errorf("%+v, %s", action, m.State())
	}
	if action := m.Step(now, Ended); action != (Action{}) {
		t.Errorf("an end while stopping: %+v", action)
	}
}

func TestAnyOrderOfEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, now := machine(), time.Unix(0, 0)
		waiting := false
		for _, e := range rapid.SliceOf(rapid.SampledFrom([]Event{Started, Ended, Waited, Replaced})).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*Settled)).Draw(t, "gap")))
			before := m.State()
			action := m.Step(now, e)
			if action.Start && before != BackingOff && before != Failed {
				t.Fatalf("started out of %s", before)
			}
			waiting = action.Wait > 0 || (waiting && !action.Start && e != Replaced)
			if s := m.State(); (s == BackingOff || s == Failed) && !waiting {
				t.Fatalf("%s without a timer: never started again", s)
			}
			if action.Wait > Most {
				t.Fatalf("waits %v", action.Wait)
			}
		}
	})
}
