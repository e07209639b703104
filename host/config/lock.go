package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lockFormat is the version of the lock file's format. A file of a newer one is refused.
const lockFormat = 1

// Lock pins the programs of a configuration's plugins: what a plugin block does not say of its checksum, the lock file
// beside the configuration does. `mezzo plugin lock` writes it.
type Lock struct {
	Format int `json:"format"`
	// Plugins are by "KIND NAME".
	Plugins map[string]Locked `json:"plugins"`
}

// Locked is one plugin's program.
type Locked struct {
	// SHA256 is the program's checksum in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// Version is what the program said of itself when it was locked, for people.
	Version string `json:"version"`
}

// LockPath is where the lock file of a configuration is: cluster.hcl has cluster.lock.json, and a folder has
// mezzo.lock.json in it.
func LockPath(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, "mezzo.lock.json")
	}
	return strings.TrimSuffix(path, ".hcl") + ".lock.json"
}

// LockKey is a plugin's key in a Lock.
func LockKey(kind, name string) string { return kind + " " + name }

// Write writes the lock file of a configuration, whole or not at all, and returns its path.
func (l Lock) Write(path string) (string, error) {
	l.Format = lockFormat
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode the lock file: %w", err)
	}
	file := LockPath(path)
	if err := os.WriteFile(file+".new", append(data, '\n'), 0o644); err != nil { //nolint:gosec // holds no secret
		return "", fmt.Errorf("write the lock file: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return "", fmt.Errorf("write the lock file: %w", err)
	}
	return file, nil
}

// applyLock fills in the checksums that plugin blocks leave to the lock file. There need not be one.
func (s *Settings) applyLock(path string) error {
	file := LockPath(path)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the lock file: %w", err)
	}
	var l Lock
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("read the lock file %s: %w; `mezzo plugin lock %s` writes it anew", file, err, path)
	}
	if l.Format > lockFormat {
		return fmt.Errorf("read the lock file %s: it has format %d, written by a newer release; this one reads up to %d", file, l.Format, lockFormat)
	}
	for i := range s.Plugins {
		p := &s.Plugins[i]
		locked, ok := l.Plugins[LockKey(p.Kind, p.Name)]
		if !ok || p.SHA256 != "" {
			continue
		}
		p.SHA256 = locked.SHA256
		if err := p.checkSHA256(); err != nil {
			return fmt.Errorf("read the lock file %s: %s: %w", file, p, err)
		}
	}
	return nil
}
