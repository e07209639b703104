package containerizer

import (
	"slices"
	"testing"
	"time"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	around := Surroundings{
		Endpoint: "10.0.0.1:5051", RecoveryTimeout: 15 * time.Minute, SubscriptionBackoffMax: 2 * time.Second,
		Executor: []Variable{{"SITE", "site"}, {"ALL", "site"}, {"MESOS_SANDBOX", "overridden"}},
	}
	spec := Spec{
		Framework: "f", Executor: "e", Agent: "a", Sandbox: "/box", ShutdownGrace: 5 * time.Second,
		Command: Command{Environment: []Variable{{"ALL", "task"}, {"TASK", "a=b"}, {"", "nameless"}}},
	}
	mesos := []string{
		"MESOS_SANDBOX=/box", "MESOS_FRAMEWORK_ID=f", "MESOS_EXECUTOR_ID=e", "MESOS_SLAVE_ID=a",
		"MESOS_SLAVE_PID=slave(1)@10.0.0.1:5051", "MESOS_AGENT_ENDPOINT=10.0.0.1:5051", "MESOS_DIRECTORY=/box",
		"MESOS_CHECKPOINT=0", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs", "MESOS_HTTP_COMMAND_EXECUTOR=0", "LIBPROCESS_PORT=0",
	}
	wanted := append([]string{"SITE=site", "ALL=task"}, mesos...)
	wanted = append(wanted, "ISOLATOR=1", "TASK=a=b", "PATH="+DefaultPath)
	if got := Environment(around, spec, []string{"ISOLATOR=1", "ALL=isolator"}); !slices.Equal(got, wanted) {
		t.Errorf("got\n%q, want\n%q", got, wanted)
	}
	spec.Checkpoint = true
	spec.Command.Environment = []Variable{{"PATH", "/opt"}}
	got := Environment(Surroundings{RecoveryTimeout: time.Minute}, spec, nil)
	for _, v := range []string{"PATH=/opt", "MESOS_CHECKPOINT=1", "MESOS_RECOVERY_TIMEOUT=1mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX=0ns"} {
		if !slices.Contains(got, v) {
			t.Errorf("%q lacks %q", got, v)
		}
	}
	for _, v := range got {
		if v == "MESOS_AGENT_ENDPOINT=" || v == "MESOS_SLAVE_PID=slave(1)@" {
			t.Errorf("%q is said of an agent without an address", v)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, wanted := range map[time.Duration]string{
		0:                                 "0ns",
		7:                                 "7ns",
		1500:                              "1.5us",
		20 * time.Millisecond:             "20ms",
		5 * time.Second:                   "5secs",
		90 * time.Second:                  "1.5mins",
		15 * time.Minute:                  "15mins",
		36 * time.Hour:                    "1.5days",
		2 * time.Hour:                     "2hrs",
		21 * 24 * time.Hour:               "3weeks",
		time.Hour + 30*time.Minute:        "1.5hrs",
		-time.Second:                      "-1000000000ns",
		time.Second + 25*time.Millisecond: "1.025secs",
	} {
		if got := duration(d); got != wanted {
			t.Errorf("%v is written %q, want %q", d, got, wanted)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	for s, wanted := range map[State]string{Unstarted: "unstarted", Running: "running", Ended: "ended"} {
		if s.String() != wanted {
			t.Errorf("%d is written %q", s, s)
		}
	}
	for _, e := range []Event{Started{ID: "x"}, Failed{ID: "x"}, Limited{ID: "x"}, Exited{ID: "x"}, Cleaned{ID: "x"}} {
		if e.Container() != "x" {
			t.Errorf("%T is about %q", e, e.Container())
		}
	}
}
