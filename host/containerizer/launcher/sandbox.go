//go:build unix

package launcher

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// resolve finds the user that a command is to run as. It is nil when that is who this process is.
func (l *Launcher) resolve(name string) (*fetcher.Owner, error) {
	if name == "" || !l.config.SwitchUser {
		return nil, nil //nolint:nilnil // as said above
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	uid, err := number(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	if int(uid) == os.Geteuid() {
		return nil, nil //nolint:nilnil // as said above
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("user %q: the agent does not run as root, so it cannot run commands as others", name)
	}
	gid, err := number(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", name, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %q: %w", name, err)
	}
	who := &fetcher.Owner{UID: uid, GID: gid}
	for _, g := range groups {
		id, err := number(g)
		if err != nil {
			return nil, fmt.Errorf("groups of user %q: %w", name, err)
		}
		who.Groups = append(who.Groups, id)
	}
	return who, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// sandboxFiles are the files in a sandbox that the command's output goes to.
type sandboxFiles struct{ stdout, stderr *os.File }

func (s *sandboxFiles) close() {
	_ = s.stdout.Close() // the command has them too, or nobody
	_ = s.stderr.Close()
}

// openSandbox makes the sandbox for its user, with stdout and stderr.
func openSandbox(path string, who *fetcher.Owner) (_ *sandboxFiles, err error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("the sandbox %q is not an absolute path", path)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("make the sandbox: %w", err)
		}
	}()
	if err := makeSandbox(path, who); err != nil {
		return nil, err
	}
	var s sandboxFiles
	if s.stdout, err = openOutput(filepath.Join(path, "stdout"), who); err != nil {
		return nil, err
	}
	if s.stderr, err = openOutput(filepath.Join(path, "stderr"), who); err != nil {
		return nil, errors.Join(err, s.stdout.Close())
	}
	return &s, nil
}

func makeSandbox(path string, who *fetcher.Owner) error {
	const sandboxMode, parentMode = 0o750, 0o755
	err := os.Mkdir(path, sandboxMode)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), parentMode); err != nil {
			return err
		}
		err = os.Mkdir(path, sandboxMode)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if who == nil {
		return nil
	}
	return os.Lchown(path, int(who.UID), int(who.GID))
}

// openOutput opens a file of the command's output. The sandbox may belong to somebody else, so no link is followed,
// and nothing but a file of one name is given away.
func openOutput(path string, who *fetcher.Owner) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || !ok || stat.Nlink != 1 {
			err = fmt.Errorf("%s is not a file of its own", path)
		}
	}
	if err == nil {
		err = syscall.SetNonblock(int(f.Fd()), false)
	}
	if err == nil && who != nil {
		err = f.Chown(int(who.UID), int(who.GID))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
