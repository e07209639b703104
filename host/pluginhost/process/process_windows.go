package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	checkExecutable   = false
	terminationSignal = false
	// UnixSockets says that plugins listen on such; where not, they do on TCP, and need TLS.
	UnixSockets = false
)

// openFile opens a program so that nobody writes to it, removes it or puts another in its place while it is open.
func openFile(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	const access, share = windows.GENERIC_READ, windows.FILE_SHARE_READ
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// execute runs the file by the path that the opened one has, whatever links led to it.
func execute(cmd *exec.Cmd, b *Binary, _ string) (opened []*os.File, err error) {
	buffer := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(windows.Handle(b.file.Fd()), &buffer[0], uint32(len(buffer)), 0)
	if err != nil {
		return nil, fmt.Errorf("find where %s is: %w", b.Path, err)
	}
	cmd.Path = windows.UTF16ToString(buffer[:n])
	return nil, nil
}

// seal leaves a script as it is: there is no executing one.
func (b *Binary) seal() error { return nil }

// credentials are the host's own: there is no changing to another user here.
type credentials struct{ uid int }

func lookupCredentials(userName, groupName string) (*credentials, error) {
	if userName != "" || groupName != "" {
		return nil, fmt.Errorf("run as user %q, group %q: not possible on Windows; leave both out", userName, groupName)
	}
	return &credentials{}, nil
}

// apply keeps a console's Ctrl-C, which is the host's business, from the process. It does nothing until it is in its job.
func (c *credentials) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW,
	}
}

func (c *credentials) own(string) error { return nil }

// group is what a process is ended with: a job object. The only handle to it is this process's, so that the system
// ends everything in it when this process has ended, however that came.
type group struct{ job windows.Handle }

func (g *group) start(cmd *exec.Cmd) (err error) {
	if g.job, err = newJob(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if err := cmd.Start(); err != nil {
		return err
	}
	handled := cmd.Process.WithHandle(func(h uintptr) { err = windows.AssignProcessToJobObject(g.job, windows.Handle(h)) })
	if err = errors.Join(handled, err); err == nil {
		err = resume(cmd.Process.Pid)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return err
}

// newJob makes a job that ends what is in it when its last handle is closed, and shows no dialogue when that crashes.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("make a job object: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		return 0, errors.Join(fmt.Errorf("set up a job object: %w", err), windows.CloseHandle(job))
	}
	return job, nil
}

// resume lets the threads of a process that was started suspended run; there is one.
func resume(pid int) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(snapshot) //nolint:errcheck // nothing to be done
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	resumed := 0
	for err := windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if int(entry.OwnerProcessID) != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open the process's thread: %w", err)
		}
		_, err = windows.ResumeThread(thread)
		if err := errors.Join(err, windows.CloseHandle(thread)); err != nil {
			return fmt.Errorf("let the process run: %w", err)
		}
		resumed++
	}
	if resumed == 0 {
		return fmt.Errorf("let the process run: it has no thread")
	}
	return nil
}

// wait waits until the process has ended, and ends what is left in the job.
func (g *group) wait(process *os.Process) {
	_ = process.WithHandle(func(h uintptr) { _, _ = windows.WaitForSingleObject(windows.Handle(h), windows.INFINITE) })
	_ = windows.TerminateJobObject(g.job, 1)
}

// signal ends the job; there is no asking.
func (g *group) signal(*os.Process, bool) error { return windows.TerminateJobObject(g.job, 1) }

func (g *group) close() { _ = windows.CloseHandle(g.job) }

// PeerUID is not to be had here.
func PeerUID(syscall.Conn) (int, error) { return 0, errors.ErrUnsupported }

// killedBySystem is not to be told here.
func killedBySystem(*os.ProcessState) bool { return false }
