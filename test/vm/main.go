//go:build linux

// Command vm is the first process of the small virtual machine in which the cgroups v2 tests run: it mounts what
// they need, runs every test binary in /tests, says how they went, and switches the machine off. scripts/cgroup2
// builds the machine around it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func main() {
	verdict := "PASS"
	if err := run(); err != nil {
		fmt.Println("vm:", err)
		verdict = "FAIL"
	}
	fmt.Println("vm: " + verdict)
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("vm: power off:", err)
	}
}

func run() error {
	mounts := []struct{ source, target, kind string }{
		{"devtmpfs", "/dev", "devtmpfs"}, {"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"},
		{"tmpfs", "/tmp", "tmpfs"}, {"tmpfs", "/root", "tmpfs"}, {"cgroup2", "/sys/fs/cgroup", "cgroup2"},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.source, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := os.Symlink("/proc/self/fd", "/dev/fd"); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	tests, err := filepath.Glob("/tests/*")
	if err != nil || len(tests) == 0 {
		return fmt.Errorf("no tests in /tests: %w", err)
	}
	for _, path := range tests {
		cmd := exec.Command(path, "-test.v", "-test.timeout=10m", "-test.run="+os.Getenv("run"))
		cmd.Env = []string{"PATH=/bin", "HOME=/root", "TMPDIR=/tmp", "MEZZO_TEST_CGROUP2=1"}
		cmd.Dir, cmd.Stdout, cmd.Stderr = "/root", os.Stdout, os.Stdout
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// loopbackUp brings the loopback interface up; nothing else has done so.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer syscall.Close(fd)
	return setUp(fd, "lo")
}
