//go:build unix

package pluginhost

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockName is nothing here: the folder itself is locked.
const lockName = ""

// claimDir makes a folder and locks it until release, which removes it, is called, or the process ends.
func claimDir(dir string) (release func(), err error) {
	for try := 0; ; try++ {
		if err := os.MkdirAll(dir, 0o711); errors.Is(err, os.ErrNotExist) && try < 10 {
			continue // another daemon has just removed the folder above it, as the last one there
		} else if err != nil {
			return nil, err
		}
		f, err := os.Open(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
			}
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		// The one that had it before may have removed it before it let go.
		if same(f, dir) {
			return func() {
				_ = os.RemoveAll(dir)
				f.Close()
			}, nil
		}
		f.Close()
	}
}

func same(f *os.File, dir string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(dir)
	return err == nil && os.SameFile(held, there)
}
