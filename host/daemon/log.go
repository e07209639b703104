package daemon

import (
	"io"
	"log/slog"

	"github.com/mezzo-cluster/mezzo/host/config"
)

// NewLogger returns the daemon's logger, as the configuration's log block has it.
func NewLogger(w io.Writer, c config.Log) *slog.Logger {
	level := slog.LevelInfo
	// config has checked the level; what it does not know stays at info.
	_ = level.UnmarshalText([]byte(c.Level))
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
