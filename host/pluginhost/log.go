package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sort"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/process"
)

// A plugin may log this many lines a second, and this many at once; the rest is counted and thrown away, so
// that one plugin gone mad neither fills a disk nor drowns the others' lines.
const (
	linesPerSecond = 500
	linesAtOnce    = 5000
)

// output turns what one process prints into structured log lines, and keeps the last of them for errors.
type output struct {
	logger *slog.Logger
	limit  *rate.Limiter

	mu      sync.Mutex
	panics  bool // a Go panic's trace has begun; it has no end
	raised  bool // a Python exception's trace has begun; it ends with the first line that is not indented
	dropped int
	tail    []string
}

// maxTail is how many of the last lines an error shows, maxTailLine how much of each.
const (
	maxTail     = 5
	maxTailLine = 300
)

func newOutput(logger *slog.Logger) *output {
	return &output{logger: logger, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// stderr is for standard error, where hclog's JSON lines come, and text lines of whatever else.
func (o *output) stderr() *process.Lines { return process.NewLines(o.line) }

// stdout is for standard output, which plugins are not meant to use.
func (o *output) stdout() *process.Lines { return process.NewLines(o.line) }

func (o *output) line(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	level, message, attributes := o.parse(line)
	o.mu.Lock()
	if level >= slog.LevelInfo {
		o.remember(message)
	}
	if !o.limit.Allow() {
		o.dropped++
		o.mu.Unlock()
		return
	}
	dropped := o.dropped
	o.dropped = 0
	o.mu.Unlock()
	if dropped > 0 {
		o.logger.Warn("the plugin logs too much; lines were dropped", "lines", dropped)
	}
	o.logger.LogAttrs(context.Background(), level, message, attributes...)
}

func (o *output) remember(message string) {
	if len(message) > maxTailLine {
		message = message[:maxTailLine] + "..."
	}
	o.tail = append(o.tail, message)
	if len(o.tail) > maxTail {
		o.tail = o.tail[1:]
	}
}

// said gives the last lines for an error, or nothing.
func (o *output) said() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.tail) == 0 {
		return ""
	}
	return "; it printed:\n  " + strings.Join(o.tail, "\n  ")
}

// parse reads a line: hclog's JSON if it is that, or text.
func (o *output) parse(line []byte) (slog.Level, string, []slog.Attr) {
	if line[0] == '{' {
		if level, message, attributes, ok := parseJSON(line); ok {
			return level, message, attributes
		}
	}
	text := strings.ToValidUTF8(string(line), "\uFFFD")
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		o.panics = true
	}
	trace := o.panics || o.raised
	if o.raised && text[0] != ' ' {
		o.raised = false
	}
	if strings.HasPrefix(text, "Traceback (most recent call last):") {
		o.raised, trace = true, true
	}
	if trace {
		return slog.LevelError, text, nil
	}
	return slog.LevelInfo, text, nil
}

func parseJSON(line []byte) (slog.Level, string, []slog.Attr, bool) {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return 0, "", nil, false
	}
	message, ok := fields["@message"].(string)
	if !ok {
		return 0, "", nil, false
	}
	level, _ := fields["@level"].(string)
	names := make([]string, 0, len(fields))
	for name := range fields {
		if !strings.HasPrefix(name, "@") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	attributes := make([]slog.Attr, 0, len(names))
	for _, name := range names {
		attributes = append(attributes, slog.Any(name, fields[name]))
	}
	return slogLevel(level), message, attributes, true
}

// slogLevel knows hclog's levels, and those that loggers of other languages have beyond them.
func slogLevel(hclogLevel string) slog.Level {
	switch strings.ToLower(hclogLevel) {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error", "critical", "fatal":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// logLevel is the least level that a logger takes, in the plugins' words.
func logLevel(logger *slog.Logger) string {
	for _, l := range []struct {
		level slog.Level
		name  string
	}{{slog.LevelDebug, "debug"}, {slog.LevelInfo, "info"}, {slog.LevelWarn, "warn"}} {
		if logger.Enabled(context.Background(), l.level) {
			return l.name
		}
	}
	return "error"
}
