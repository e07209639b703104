package main

import (
	"fmt"
	"path/filepath"

	"github.com/mezzo-cluster/mezzo/host/config"
)

// useData moves everything that a cluster on one machine keeps below one folder.
func useData(s *config.Settings, dir string) error {
	if dir == "" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	s.Master.DataDir = filepath.Join(dir, "master")
	s.Agent.WorkDir = filepath.Join(dir, "agent")
	return nil
}
