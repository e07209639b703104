package raftstore

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
)

// logWriter turns the lines that the Raft library logs ("2026-01-02T… [INFO]  raft: message: k=v") into records
// of the host's log. The library's time stamp is dropped for the host's own.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		w.line(strings.TrimSpace(string(line)))
	}
	return len(p), nil
}

func (w logWriter) line(s string) {
	level := slog.LevelInfo
	if _, rest, ok := strings.Cut(s, "["); ok {
		name, text, found := strings.Cut(rest, "]")
		if found {
			s = strings.TrimPrefix(strings.TrimSpace(text), "raft: ")
			level = levelOf(name)
			if strings.HasPrefix(s, firstElection) {
				level = slog.LevelDebug
			}
		}
	}
	if s != "" {
		w.log.Log(context.Background(), level, "raft", "event", s)
	}
}

// firstElection is how Raft warns of an election when there was no leader before, as at every start.
const firstElection = "heartbeat timeout reached, starting election: last-leader-addr= "

func levelOf(name string) slog.Level {
	switch name {
	case "ERROR":
		return slog.LevelError
	case "WARN":
		return slog.LevelWarn
	case "INFO":
		// What Raft calls worth informing of is of interest only to those who debug an election.
		return slog.LevelDebug
	}
	return slog.LevelDebug
}
