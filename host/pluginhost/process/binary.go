package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrChecksum is what opening a binary fails with when it is not the one that was promised.
var ErrChecksum = errors.New("the checksum does not match")

// Binary is a program's file, opened once: what was hashed is what is executed, whatever happens to the
// path meanwhile.
type Binary struct {
	// Path is where it was opened.
	Path string
	// SHA256 is its checksum in lower-case hexadecimal.
	SHA256 string

	file    *os.File
	script  bool
	size    int64
	changed time.Time
}

// OpenBinary opens a program and reads it whole for its checksum. A wanted checksum that is not empty must
// match (ErrChecksum). The binary must be closed.
func OpenBinary(path, want string) (_ *Binary, err error) {
	file, err := openFile(path)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a program but a %s", path, describeMode(info.Mode()))
	}
	if info.Mode().Perm()&0o111 == 0 && checkExecutable {
		return nil, fmt.Errorf("%s may not be executed; chmod +x %s", path, path)
	}
	b := &Binary{Path: path, file: file, size: info.Size(), changed: info.ModTime()}
	if err := b.hash(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if want != "" && b.SHA256 != want {
		return nil, fmt.Errorf("%s: %w: it has sha256 %s and the configuration says %s", path, ErrChecksum, b.SHA256, want)
	}
	return b, nil
}

func (b *Binary) hash() error {
	h := sha256.New()
	magic := make([]byte, 2)
	n, err := b.file.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	b.script = string(magic[:n]) == "#!"
	if _, err := io.Copy(h, b.file); err != nil {
		return err
	}
	b.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// unchanged says whether the file was left alone since it was opened. Once it runs, the system refuses
// writes to it, so asking after the start covers the time between hashing and executing.
func (b *Binary) unchanged() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.size || !info.ModTime().Equal(b.changed) {
		return fmt.Errorf("%s was written to while it was being started", b.Path)
	}
	return nil
}

// Close closes the file. A process started from it goes on.
func (b *Binary) Close() error { return b.file.Close() }

func explainOpen(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no plugin program %s: %w", path, fs.ErrNotExist)
	}
	return err
}

func describeMode(mode fs.FileMode) string {
	if mode.IsDir() {
		return "folder"
	}
	return "special file"
}
