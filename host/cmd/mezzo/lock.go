package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/config"
	"github.com/mezzo-cluster/mezzo/host/daemon"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
)

func newPluginLock(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "lock FILE", Short: "Pin the plugins' programs by checksum, in a file beside the configuration", Args: args(cobra.ExactArgs(1)),
		Long: `Writes the checksums of a configuration's plugins, as their programs are now, into a lock file beside it: cluster.hcl
gets cluster.lock.json, a folder mezzo.lock.json. Masters and agents start no plugin whose program is another, and none
that has no checksum, here or in its block. Run it again after a plugin has been upgraded.`,
		Example: "  mezzo plugin lock /etc/mezzo/master.hcl",
		RunE: func(cmd *cobra.Command, a []string) error {
			settings, err := config.Load(a[0])
			if err != nil {
				return err
			}
			specs, err := daemon.PluginSpecs(settings)
			if err != nil {
				return err
			}
			lock := config.Lock{Plugins: map[string]config.Locked{}}
			r := rows{header: []string{"kind", "name", "version", "sha256"}, empty: "This configuration has no plugins.", value: &lock}
			for _, s := range specs {
				sum, err := fileSum(s.Binary)
				if err != nil {
					return fmt.Errorf("%s: %w", s, err)
				}
				s.SHA256 = sum // what is asked for its version is what is locked
				d, err := pluginhost.Inspect(cmd.Context(), pluginhost.Options{Logger: slog.New(slog.DiscardHandler)}, s)
				if err != nil {
					return err
				}
				lock.Plugins[config.LockKey(s.Kind, s.Name)] = config.Locked{SHA256: sum, Version: d.Version}
				r.cells = append(r.cells, []string{s.Kind, s.Name, d.Version, sum})
			}
			if _, err := lock.Write(a[0]); err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), r)
		},
	}
}

// fileSum is a file's SHA-256 in hexadecimal.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
