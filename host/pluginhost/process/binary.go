package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrChecksum is what opening a binary fails with when it is not the one that was promised.
var ErrChecksum = errors.New("the checksum does not match")

// Binary is a program's file, opened once: what was hashed is what is executed, whatever happens to the
// path meanwhile. On Linux a script is hashed and executed as a copy in memory that nobody can change, since
// the system refuses writes only to programs that it runs itself.
type Binary struct {
	// Path is where it was opened.
	Path string
	// SHA256 is its checksum in lower-case hexadecimal.
	SHA256 string

	file *os.File
	// script says that it begins with #! and is for an interpreter, which opens it once more.
	script      bool
	interpreter string
	size        int64
	changed     time.Time
}

// OpenBinary opens a program and reads it whole for its checksum. A wanted checksum that is not empty must
// match (ErrChecksum). The binary must be closed.
func OpenBinary(path, want string) (_ *Binary, err error) {
	file, err := openFile(path)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	b := &Binary{Path: path, file: file}
	defer func() {
		if err != nil {
			b.file.Close()
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
	b.size, b.changed = info.Size(), info.ModTime()
	if err := b.hash(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if want != "" && b.SHA256 != want {
		return nil, fmt.Errorf("%s: %w: it has sha256 %s and the configuration says %s; "+
			"if it is meant to be another one, run `mezzo plugin lock FILE`, or change sha256 in its block", path, ErrChecksum, b.SHA256, want)
	}
	return b, nil
}

func (b *Binary) hash() error {
	h := sha256.New()
	head := make([]byte, 256)
	n, err := b.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	if line, b.script = strings.CutPrefix(line, "#!"); b.script {
		b.interpreter, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		if err := b.seal(); err != nil {
			return err
		}
	}
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

// explainExecute says why the system does not execute it.
func (b *Binary) explainExecute(err error) error {
	switch {
	case b.script && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("execute %s: its first line asks for the interpreter %q, which is not there: %w", b.Path, b.interpreter, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("execute %s: it is neither a program for this machine nor a script that begins with #!: %w", b.Path, err)
	default:
		return fmt.Errorf("execute %s: %w", b.Path, err)
	}
}

func describeMode(mode fs.FileMode) string {
	if mode.IsDir() {
		return "folder"
	}
	return "special file"
}
