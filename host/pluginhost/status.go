package pluginhost

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

// Status is a plugin as it is shown to people.
type Status struct {
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	State   supervise.State `json:"state"`
	Version string          `json:"version,omitempty"`
	Binary  string          `json:"binary"`
	SHA256  string          `json:"sha256,omitempty"`
	// PID, Started and Memory are of the present process; zero when there is none. Memory is what of it is
	// resident, in bytes.
	PID      int       `json:"pid,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Memory   uint64    `json:"memory,omitempty"`
	Restarts int       `json:"restarts"`
	// Error is why there is no process. LastError is why there was none the last time, while there is one again.
	Error     string `json:"error,omitempty"`
	LastError string `json:"last_error,omitempty"`
	// Problem is what the present process cannot do, though it works.
	Problem string `json:"problem,omitempty"`
	// Warnings are what the plugin says about the configuration that it works with, each at its place in the file.
	Warnings []string `json:"warnings,omitempty"`
	// FailedSince is set while it keeps failing.
	FailedSince time.Time `json:"failed_since,omitzero"`
	RPCs        []RPC     `json:"rpcs"`
	// Bugs counts answers that break the contract.
	Bugs uint64 `json:"bugs"`
}

// List tells how the plugins are, in their order.
func (h *Host) List() []Status {
	all := h.all()
	out := make([]Status, len(all))
	for i, p := range all {
		out[i] = p.Status()
	}
	return out
}

// Problems says, for each plugin that is not ready or has a problem, why, in a line as health reports show it.
func (h *Host) Problems() []string {
	var problems []string
	for _, s := range h.List() {
		text := fmt.Sprintf("%s %q", s.Kind, s.Name)
		switch {
		case s.State != supervise.Ready && s.Error != "":
			text += " is " + strings.ReplaceAll(string(s.State), "_", " ") + ": " + oneLine(s.Error)
		case s.State != supervise.Ready:
			text += " is " + strings.ReplaceAll(string(s.State), "_", " ")
		case s.Problem != "":
			text += ": " + oneLine(s.Problem)
		default:
			continue
		}
		problems = append(problems, text)
	}
	return problems
}

// oneLine puts the lines of a text into one. Those that are indented show sources, of configurations and policies, which
// are not for everybody who may ask for the health.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line != "" && line[0] != ' ' && line[0] != '\t' {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

// Status tells how the plugin is.
func (p *Plugin) Status() Status {
	rpcs, bugs := p.metrics.rpcs()
	p.mu.Lock()
	s := Status{
		Kind: p.spec.Kind, Name: p.spec.Name, Binary: p.spec.Binary, State: p.machine.State(), Restarts: p.machine.Restarts(),
		Problem: p.problem, FailedSince: p.alarm, RPCs: rpcs, Bugs: bugs,
	}
	if p.lastErr != nil {
		s.Error = p.lastErr.Error()
	}
	if i := p.current; i != nil {
		s.Error, s.LastError = "", s.Error
		s.Version, s.SHA256 = i.description.Version, i.description.SHA256
		s.Warnings = i.warnings
		s.PID, s.Started = i.process.Load().PID(), i.started
	}
	p.mu.Unlock()
	if s.PID != 0 {
		s.Memory = residentMemory(s.PID)
	}
	return s
}

// residentMemory is what a process has in memory, in bytes; 0 where that is not to be known.
func residentMemory(pid int) uint64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
