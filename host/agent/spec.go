package agent

import (
	"math"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// spec is the container that a command task asks for.
func (a *Agent) spec(t *task, ti *mesos.TaskInfo) containerizer.Spec {
	s := containerizer.Spec{
		ID:            t.container,
		Framework:     t.framework.id,
		Executor:      t.id,
		Task:          t.id,
		Agent:         a.agentID,
		Role:          t.facts.role,
		Command:       command(ti.GetCommand()),
		URIs:          uris(ti.GetCommand()),
		Sandbox:       t.directory,
		Checkpoint:    t.framework.checkpoint,
		ShutdownGrace: a.cfg.ShutdownGrace,
		CommandTask:   true,
		Resources:     t.facts.resources,
		Limits:        limits(ti),
		Rlimits:       rlimits(ti.GetContainer().GetRlimitInfo()),
		Labels:        labels(ti.GetLabels()),
	}
	if a.cfg.SwitchUser {
		s.User = ti.GetCommand().GetUser()
		if s.User == "" {
			s.User = t.framework.user
		}
	}
	return s
}

func command(c *mesos.CommandInfo) containerizer.Command {
	out := containerizer.Command{Shell: c.GetShell(), Value: c.GetValue(), Arguments: c.GetArguments()}
	for _, v := range c.GetEnvironment().GetVariables() {
		out.Environment = append(out.Environment, containerizer.Variable{Name: v.GetName(), Value: v.GetValue()})
	}
	return out
}

func uris(c *mesos.CommandInfo) []containerizer.URI {
	var out []containerizer.URI
	for _, u := range c.GetUris() {
		out = append(out, containerizer.URI{
			Value: u.GetValue(), Extract: u.GetExtract(), Executable: u.GetExecutable(), OutputFile: u.GetOutputFile(),
		})
	}
	return out
}

// limits were seen to be readable when the task was taken on.
func limits(ti *mesos.TaskInfo) map[string]resource.Limit {
	out := map[string]resource.Limit{}
	for name, v := range ti.GetLimits() {
		if l, err := resource.ParseLimit(v.GetValue()); err == nil {
			out[name] = l
		}
	}
	return out
}

// rlimits translates Mesos's RLMT_NOFILE into RLIMIT_NOFILE, and no values into no limit.
func rlimits(info *mesos.RLimitInfo) []containerizer.Rlimit {
	var out []containerizer.Rlimit
	for _, r := range info.GetRlimits() {
		l := containerizer.Rlimit{
			Type: "RLIMIT_" + strings.TrimPrefix(r.GetType().String(), "RLMT_"),
			Soft: math.MaxUint64, Hard: math.MaxUint64,
		}
		if r.Soft != nil && r.Hard != nil {
			l.Soft, l.Hard = r.GetSoft(), r.GetHard()
		}
		out = append(out, l)
	}
	return out
}

func labels(ls *mesos.Labels) map[string]string {
	out := make(map[string]string, len(ls.GetLabels()))
	for _, l := range ls.GetLabels() {
		out[l.GetKey()] = l.GetValue()
	}
	return out
}
