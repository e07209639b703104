package runstore

import (
	"fmt"
	"os"
	"strings"
)

// BootID identifies the present run of the machine: it changes when the machine is restarted, and only then.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
