package serve

import (
	"io"
	"log/slog"
	"strings"
)

// newLogger writes lines that go-plugin's host end reads: JSON with hclog's names for time, level and
// message. level is debug, info, warn or error; anything else is info.
func newLogger(w io.Writer, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least, ReplaceAttr: hclogNames}))
}

func hclogNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
	case slog.LevelKey:
		return slog.String("@level", hclogLevel(a.Value.Any()))
	case slog.MessageKey:
		return slog.String("@message", a.Value.String())
	default:
		return a
	}
}

func hclogLevel(v any) string {
	level, _ := v.(slog.Level)
	switch {
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	default:
		return strings.ToLower(slog.LevelError.String())
	}
}
