package plugintest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// Bounds of what a plugin may print while a check of the kit runs.
const (
	maxOutput = 1 << 20
	maxLine   = 64 << 10
)

// command is the plugin for go-plugin's own client, with one more variable.
func (p *plugin) command(variable string) *exec.Cmd {
	cmd := exec.Command(p.bench.Binary)
	cmd.Env = append([]string{"PLUGIN_UNIX_SOCKET_DIR=" + p.sockets, variable}, p.bench.Env...)
	return cmd
}

func quiet() hclog.Logger { return hclog.NewNullLogger() }

// checkLeaks uses the plugin, ends it as a host does, and looks for what stays.
func checkLeaks(b *bench) {
	p, use := b.used()
	uses := func() {
		for range 20 {
			use()
		}
	}
	uses()
	before := descriptors(p.cmd.Process.Pid)
	uses()
	b.eventually(fmt.Sprintf("no more descriptors than the %d it had before it was used 20 times", before), func() bool {
		return descriptors(p.cmd.Process.Pid) <= before+2
	})
	p.shutdown()
	for _, c := range p.children {
		b.eventually(fmt.Sprintf("the process %d that it started is gone", c.pid), func() bool { return !c.running() })
	}
	if left, _ := filepath.Glob(p.sockets + "/*"); len(left) > 0 {
		b.errorf("it has left its socket behind: %s", strings.Join(left, ", "))
	}
}

// used starts the plugin, and gives what uses it once as its kind is used: an isolator is for a container.
func (b *bench) used() (*plugin, func()) {
	if b.Kind == "isolator" {
		i, _ := b.isolator(b.dataDir(), newInstance())
		return i.plugin, func() {
			c := i.newContainer()
			i.prepare(c)
			i.cleanup(c)
		}
	}
	p := b.ready(b.dataDir())
	return p, func() {
		ctx, cancel := b.call()
		defer cancel()
		if err := probe(ctx, b.Kind, p.conn); err != nil {
			b.errorf("one of many calls: %v", err)
		}
	}
}

func checkOutput(b *bench) {
	p := b.ready(b.dataDir())
	ctx, cancel := b.call()
	defer cancel()
	if err := probe(ctx, b.Kind, p.conn); err != nil {
		b.errorf("a call: %v", err)
	}
	p.shutdown()
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	if p.output.bytes > maxOutput {
		b.errorf("it printed %d bytes while it was started, called once and ended; %d are allowed", p.output.bytes, maxOutput)
	}
	if p.output.longest > maxLine {
		b.errorf("it printed a line of %d bytes; %d are allowed", p.output.longest, maxLine)
	}
}

// descriptors counts the open descriptors of a process; 0 where that is not to be known.
func descriptors(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(entries)
}

// descendants are the processes that a process has started, with theirs.
func descendants(pid int) []int {
	var all []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}

// child is a process that a plugin has started. Its id may become another's, so its start counts, too.
type child struct {
	pid     int
	started string
}

func newChild(pid int) child { return child{pid, startOf(pid)} }

func (c child) running() bool { return c.started != "" && startOf(c.pid) == c.started }

func (c child) kill() {
	if !c.running() {
		return
	}
	if p, err := os.FindProcess(c.pid); err == nil {
		_ = p.Kill()
	}
}

// startOf is when a process was started, in the kernel's words; empty when there is none, or only a zombie.
func startOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// After the name, which may contain anything: the state is the first field, and the start the 20th.
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
