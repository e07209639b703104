package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// guideTable is a table of the operators' guide: the second column by the names in the first.
func guideTable(t *testing.T, head string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| "+head+" | default |")
	if !found {
		t.Fatalf("the guide has no table of %s", head)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[string]string{}
	for _, line := range strings.Split(table, "\n")[2:] {
		columns := strings.Split(line, "|")
		names := regexp.MustCompile("`([a-z0-9_]+)").FindAllStringSubmatch(columns[1], -1)
		values := strings.Split(strings.TrimSpace(columns[2]), ", ")
		for i, name := range names {
			value := values[0]
			if len(values) == len(names) {
				value = values[i]
			}
			rows[name[1]] = strings.Trim(value, "` ")
		}
	}
	return rows
}

// The guide lists every attribute and block there is, with its default.
func TestGuide(t *testing.T) {
	t.Parallel()
	m, a, p, c, log := newMaster(), newAgent(), &Plugin{TLS: "auto"}, &Cgroup{}, Log{Level: "info", Format: "text"}
	for _, block := range []struct {
		head     string
		fields   []field
		blocks   []string
		defaults map[string]any
	}{
		{"`master`", m.fields(), []string{"tls", "authentication"}, map[string]any{
			"listen": m.Listen, "agent_listen": strings.TrimPrefix(m.AgentListen, "127.0.0.1"), "raft_listen": strings.TrimPrefix(m.RaftListen, "127.0.0.1"),
			"agent_ping_timeout": m.AgentPingTimeout, "max_agent_ping_timeouts": m.MaxAgentPingTimeouts, "agent_reregister_timeout": m.AgentReregisterTimeout,
			"max_completed_frameworks": m.MaxCompletedFrameworks, "max_completed_tasks_per_framework": m.MaxCompletedTasksPerFramework,
			"max_unreachable_tasks_per_framework": m.MaxUnreachableTasksPerFramework, "root_submissions": m.RootSubmissions, "insecure": m.Insecure,
		}},
		{"`agent`", a.fields(), []string{"tls", "authentication"}, map[string]any{
			"listen": a.Listen, "default_role": a.DefaultRole, "executor_shutdown_grace_period": a.ExecutorShutdownGracePeriod,
			"launch_timeout": a.LaunchTimeout, "strict": a.Strict, "reconfiguration_policy": a.ReconfigurationPolicy, "switch_user": a.SwitchUser,
			"fetcher_stall_timeout": a.FetcherStallTimeout, "gc_delay": a.GCDelay, "recovery_timeout": a.RecoveryTimeout,
			"executor_reregistration_timeout": a.ExecutorReregistrationTimeout,
		}},
		{"`plugin`", p.fields(), []string{"cgroup", "config"}, map[string]any{"tls": p.TLS}},
		{"`cgroup`, in a plugin", c.fields(), nil, nil},
		{"`log`", []field{{name: "level"}, {name: "format"}}, nil, map[string]any{"level": log.Level, "format": log.Format}},
	} {
		rows := guideTable(t, block.head)
		names := block.blocks
		for _, f := range block.fields {
			names = append(names, f.name)
		}
		for _, name := range names {
			said, there := rows[name]
			delete(rows, name)
			if !there {
				t.Errorf("the guide's table of %s lacks %s", block.head, name)
			}
			want, known := block.defaults[name]
			if d, ok := want.(time.Duration); ok {
				if parsed, err := parseDuration(said); err != nil || parsed != d {
					t.Errorf("%s: the guide says %q, and it is %v", name, said, d)
				}
			} else if known && said != fmt.Sprint(want) {
				t.Errorf("%s: the guide says %q, and it is %v", name, said, want)
			}
		}
		if len(rows) > 0 {
			t.Errorf("the guide's table of %s has %v, which are not there", block.head, rows)
		}
	}
}
