package agent

import (
	"testing"
	"time"
)

// Zero means the default, so that no time at all needs another word.
func TestConfigTimes(t *testing.T) {
	t.Parallel()
	for set, want := range map[time.Duration]time.Duration{0: 5 * time.Second, -1: 0, time.Minute: time.Minute} {
		if got := (Config{ShutdownGrace: set}).withDefaults().ShutdownGrace; got != want {
			t.Errorf("%v means %v, want %v", set, got, want)
		}
	}
}
