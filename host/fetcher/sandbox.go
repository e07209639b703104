package fetcher

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// sandbox writes into a folder, and never outside.
type sandbox struct {
	root  *os.Root
	owner *Owner
}

// write makes a file, in folders made as needed, in place of whatever had its name.
func (s *sandbox) write(name string, content io.Reader, mode os.FileMode) error {
	if err := s.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := s.clear(name); err != nil {
		return err
	}
	file, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = s.finish(file, mode)
	}
	return errors.Join(err, file.Close())
}

// finish gives a file its owner and mode. Setting the owner clears bits of the mode, so it comes first.
func (s *sandbox) finish(file *os.File, mode os.FileMode) error {
	if s.owner != nil {
		if err := file.Chown(int(s.owner.UID), int(s.owner.GID)); err != nil {
			return err
		}
	}
	return file.Chmod(mode.Perm())
}

// clear removes what has the name, unless that is a folder.
func (s *sandbox) clear(name string) error {
	info, err := s.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("'%s' is a folder already", name)
	default:
		return s.root.Remove(name)
	}
}

// folder makes a folder with its parents. Those that exist are let be.
func (s *sandbox) folder(name string) error {
	if name == "." {
		return nil
	}
	if err := s.folder(path.Dir(name)); err != nil {
		return err
	}
	switch err := s.root.Mkdir(name, 0o755); {
	case errors.Is(err, fs.ErrExist):
		info, err := s.root.Stat(name)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("'%s' is not a folder", name)
		}
		return err
	case err != nil:
		return err
	case s.owner != nil:
		return s.root.Lchown(name, int(s.owner.UID), int(s.owner.GID))
	default:
		return nil
	}
}

// symlink makes a symbolic link. One whose text leads out of the sandbox is refused.
func (s *sandbox) symlink(name, to string) error {
	if filepath.IsAbs(to) || !filepath.IsLocal(path.Join(path.Dir(name), to)) {
		return fmt.Errorf("the link '%s' leads out of the sandbox, to '%s'", name, to)
	}
	if err := s.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := s.clear(name); err != nil {
		return err
	}
	if err := s.root.Symlink(to, name); err != nil {
		return err
	}
	if s.owner == nil {
		return nil
	}
	return s.root.Lchown(name, int(s.owner.UID), int(s.owner.GID))
}

// checkLink refuses a link that leads out of the sandbox by way of other links, which its text does not show.
func (s *sandbox) checkLink(name string) error {
	_, err := s.root.Stat(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(fmt.Errorf("the link '%s': %w", name, err), s.root.Remove(name))
}

// link makes another name for a file that is there already.
func (s *sandbox) link(name, to string) error {
	if err := s.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := s.clear(name); err != nil {
		return err
	}
	return s.root.Link(to, name)
}

// touch sets the time of a file's last change, when an archive gives one. A file system that refuses is no
// reason to fail.
func (s *sandbox) touch(name string, changed time.Time) {
	if !changed.IsZero() {
		_ = s.root.Chtimes(name, changed, changed)
	}
}

// localName is the name of an archive's entry as a path within the sandbox.
func localName(name string) (string, error) {
	local := path.Clean(strings.TrimLeft(name, "/"))
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("the entry '%s' lies outside the sandbox", name)
	}
	return local, nil
}
