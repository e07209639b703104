package fetcher

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openFile opens a file of this machine with the rights of the owner: a file that the task's user cannot read
// is not brought to it by an agent that is root.
func openFile(owner *Owner, name string) (*os.File, error) {
	if owner == nil || os.Geteuid() != 0 || owner.UID == 0 {
		return openRegular(name)
	}
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		// The thread takes on the owner's rights and is never used for anything else: it ends with this
		// goroutine, which leaves it locked.
		runtime.LockOSThread()
		if err := takeOn(owner); err != nil {
			done <- result{nil, fmt.Errorf("take on the user's rights: %w", err)}
			return
		}
		file, err := openRegular(name)
		done <- result{file, err}
	}()
	r := <-done
	return r.file, r.err
}

// takeOn gives this thread the file-system rights of the owner. Unlike the standard library's calls these are
// about one thread; and leaving user 0 takes away the capabilities that override file modes.
func takeOn(owner *Owner) error {
	var groups unsafe.Pointer
	if len(owner.Groups) > 0 {
		groups = unsafe.Pointer(&owner.Groups[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(owner.Groups)), uintptr(groups), 0); errno != 0 {
		return errno
	}
	if err := unix.Setfsgid(int(owner.GID)); err != nil {
		return err
	}
	return unix.Setfsuid(int(owner.UID))
}
