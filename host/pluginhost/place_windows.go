package pluginhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lockName is the file that is held open while the folder is in use. The system removes it with its last handle.
const lockName = "lock"

// claimDir makes a folder and locks it until release, which removes it, is called, or the process ends.
func claimDir(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	name, err := windows.UTF16PtrFromString(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	const nobodyElse = 0
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE|windows.DELETE, nobodyElse, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() {
		_ = emptyDir(dir)
		_ = windows.CloseHandle(h)
		_ = os.Remove(dir)
	}, nil
}
