//go:build linux

package linux_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// descendants are the processes below one, with itself.
func descendants(t testing.TB, pid int) []int {
	t.Helper()
	out := []int{pid}
	threads, err := os.ReadDir("/proc/" + itoa(pid) + "/task")
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		b, err := os.ReadFile("/proc/" + itoa(pid) + "/task/" + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, descendants(t, child)...)
		}
	}
	return out
}

// alive tells whether a process exists and has not ended. One whose first thread has ended while others are ending
// still lives.
func alive(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // only polled
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n == 0
}
