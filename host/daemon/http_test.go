package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/host/config"
)

// Secrets that everybody on the machine may read are told of; they work all the same, as in Mesos.
func TestOpenCredentials(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a file's mode says nothing there")
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(`{"credentials": [{"principal": "a", "secret": "s"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, told := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o602: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if _, err := authenticator(&config.Authentication{CredentialsFile: path}, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log.String(), path) != told {
			t.Errorf("%o: %q", mode, log.String())
		}
	}
}
