package fetcher

import (
	"archive/tar"
	"archive/zip"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// unpack unpacks a file of the sandbox into the sandbox, and returns false when its name is not that of an
// archive.
func (f *Fetcher) unpack(box *sandbox, name string) (bool, error) {
	kind, ok := archiveKind(name)
	if !ok {
		return false, nil
	}
	file, err := box.root.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close() //nolint:errcheck // only read from
	u := &unpacker{box: box, archive: name, bytes: f.config.MaxUnpackedBytes, files: f.config.MaxUnpackedFiles}
	switch kind {
	case "zip":
		err = u.zip(file)
	case "gz":
		err = u.gunzip(file, strings.TrimSuffix(name, ".gz"))
	default:
		err = u.compressedTar(file, kind)
	}
	return true, errors.Join(err, u.finish())
}

// archiveKind tells by the name what kind of archive a file is.
func archiveKind(name string) (string, bool) {
	for _, k := range []struct{ suffix, kind string }{
		{".tar", "tar"},
		{".tgz", "tgz"},
		{".tar.gz", "tgz"},
		{".tbz2", "tbz2"},
		{".tar.bz2", "tbz2"},
		{".txz", "txz"},
		{".tar.xz", "txz"},
		{".zip", "zip"},
		{".gz", "gz"},
	} {
		if strings.HasSuffix(name, k.suffix) && len(name) > len(k.suffix) {
			return k.kind, true
		}
	}
	return "", false
}

// unpacker writes the entries of one archive, within bounds.
type unpacker struct {
	box     *sandbox
	archive string
	bytes   int64
	files   int

	links   []string
	folders []folderMode
}

type folderMode struct {
	name string
	mode os.FileMode
}

// finish does what must wait until every entry is there: links are followed, and folders made read-only.
func (u *unpacker) finish() error {
	var err error
	for _, name := range u.links {
		err = errors.Join(err, u.box.checkLink(name))
	}
	for _, f := range slices.Backward(u.folders) {
		err = errors.Join(err, u.box.root.Chmod(f.name, f.mode))
	}
	return err
}

func (u *unpacker) compressedTar(file io.Reader, kind string) error {
	var err error
	switch kind {
	case "tgz":
		file, err = gzip.NewReader(file)
	case "tbz2":
		file = bzip2.NewReader(file)
	case "txz":
		file, err = xz.NewReader(file)
	}
	if err != nil {
		return err
	}
	return u.tar(tar.NewReader(file))
}

func (u *unpacker) tar(r *tar.Reader) error {
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.tarEntry(r, header); err != nil {
			return err
		}
	}
}

func (u *unpacker) tarEntry(r io.Reader, h *tar.Header) error {
	name, err := u.admit(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name, h.FileInfo().Mode())
	case tar.TypeReg:
		if err := u.file(name, r, h.FileInfo().Mode()); err != nil {
			return err
		}
		u.box.touch(name, h.ModTime)
		return nil
	case tar.TypeSymlink:
		return u.symlink(name, h.Linkname)
	case tar.TypeLink:
		to, err := localName(h.Linkname)
		if err != nil {
			return err
		}
		return u.box.link(name, to)
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("the entry '%s' is neither a file, a folder nor a link", h.Name)
	}
}

func (u *unpacker) zip(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r, err := zip.NewReader(file, info.Size())
	if err != nil {
		return err
	}
	for _, entry := range r.File {
		if err := u.zipEntry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipEntry(entry *zip.File) error {
	name, err := u.admit(entry.Name)
	if err != nil {
		return err
	}
	if entry.Mode().IsDir() {
		return u.folder(name, entry.Mode())
	}
	content, err := entry.Open()
	if err != nil {
		return fmt.Errorf("the entry '%s': %w", entry.Name, err)
	}
	defer content.Close() //nolint:errcheck // only read from
	switch mode := entry.Mode(); {
	case mode.IsRegular():
		if err := u.file(name, content, mode); err != nil {
			return err
		}
		u.box.touch(name, entry.Modified)
		return nil
	case mode&os.ModeSymlink != 0:
		const longest = 4096
		to, err := io.ReadAll(io.LimitReader(content, longest))
		if err != nil {
			return err
		}
		return u.symlink(name, string(to))
	default:
		return fmt.Errorf("the entry '%s' is neither a file, a folder nor a link", entry.Name)
	}
}

func (u *unpacker) gunzip(file io.Reader, name string) error {
	if _, err := u.admit(name); err != nil {
		return err
	}
	r, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return u.file(name, r, 0o644)
}

// admit counts an entry, and gives its name in the sandbox.
func (u *unpacker) admit(name string) (string, error) {
	if u.files--; u.files < 0 {
		return "", fmt.Errorf("%w: too many files", errTooBig)
	}
	local, err := localName(name)
	if err == nil && local == u.archive {
		err = fmt.Errorf("the entry '%s' is the archive's own name", name)
	}
	return local, err
}

func (u *unpacker) folder(name string, mode os.FileMode) error {
	if name == "." {
		return nil // the sandbox itself keeps its mode
	}
	u.folders = append(u.folders, folderMode{name, mode.Perm()})
	return u.box.folder(name)
}

func (u *unpacker) file(name string, content io.Reader, mode os.FileMode) error {
	bounded := &limited{r: content, left: u.bytes}
	err := u.box.write(name, bounded, mode)
	u.bytes = bounded.left
	if err != nil {
		return fmt.Errorf("the entry '%s': %w", name, err)
	}
	return nil
}

func (u *unpacker) symlink(name, to string) error {
	u.links = append(u.links, name)
	return u.box.symlink(name, to)
}
