package agentapi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/access"
	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/endpoint"
)

// maxRead is the most bytes that one read gives: 16 pages, as in Mesos.
const maxRead = 16 * 4096

// errDirectory says that a directory was to be read like a file.
var errDirectory = errors.New("a directory")

// missing turns errors of finding a file into answers: 404 with the given text, 400 for a directory.
func missing(err error, text, doing string) error {
	switch {
	case errors.Is(err, errNoFile):
		return endpoint.Errorf(http.StatusNotFound, "%s", text)
	case errors.Is(err, errDirectory):
		return endpoint.BadRequest("Cannot %s a directory.", doing)
	}
	return endpoint.AccessError(err)
}

func pathOf(r *http.Request) (string, error) {
	if p := r.URL.Query().Get("path"); p != "" {
		return p, nil
	}
	return "", endpoint.BadRequest("Expecting 'path=value' in query.\n")
}

// entry is one file in a listing.
type entry struct {
	path string
	info fs.FileInfo
	file
}

// list returns the files in the directory that a path leads to; none if it leads to a file.
func (e *Endpoints) list(r *http.Request, who access.Principal, p string) ([]entry, error) {
	dir, info, err := e.open(r.Context(), who, p)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	if !info.IsDir() {
		return nil, nil
	}
	all, err := dir.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("read directory %s: %w", p, err)
	}
	var out []entry
	for _, one := range all {
		if info, err := one.Info(); err == nil { // one that has just gone is left out
			out = append(out, entry{path: path.Join(p, one.Name()), info: info, file: e.owners.describe(info)})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

// browse answers /files/browse.
func (e *Endpoints) browse(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	entries, err := e.list(r, who, p)
	if err != nil {
		return missing(err, "", "browse")
	}
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.BeginList("")
		for _, one := range entries {
			doc.Begin("")
			doc.Str("gid", one.gid)
			doc.Str("mode", modeText(one.info.Mode()))
			doc.Int("mtime", one.info.ModTime().Unix())
			doc.Int("nlink", int64(one.nlink))
			doc.Str("path", one.path)
			doc.Int("size", one.info.Size())
			doc.Str("uid", one.uid)
			doc.End()
		}
		doc.EndList()
	})
}

// modeText writes a mode as ls does: drwxr-xr-x.
func modeText(m fs.FileMode) string {
	kind := "-"
	switch {
	case m.IsDir():
		kind = "d"
	case m&fs.ModeSymlink != 0:
		kind = "l"
	case m&fs.ModeNamedPipe != 0:
		kind = "p"
	case m&fs.ModeSocket != 0:
		kind = "s"
	case m&fs.ModeCharDevice != 0:
		kind = "c"
	case m&fs.ModeDevice != 0:
		kind = "b"
	}
	return kind + m.Perm().String()[1:]
}

// piece reads part of the file that a path leads to, and tells the file's size.
func (e *Endpoints) piece(r *http.Request, who access.Principal, p string, offset, length int64) (data []byte, size int64, err error) {
	f, info, err := e.open(r.Context(), who, p)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	if info.IsDir() {
		return nil, 0, errDirectory
	}
	if offset >= info.Size() {
		return nil, info.Size(), nil
	}
	data = make([]byte, min(length, maxRead, info.Size()-offset))
	n, err := f.ReadAt(data, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("read %s: %w", p, err)
	}
	return data[:n], info.Size(), nil
}

// read answers /files/read. An offset of -1 asks for the file's size.
func (e *Endpoints) read(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	offset, err := number(r, "offset", -1)
	if err != nil {
		return err
	}
	length, err := number(r, "length", math.MaxInt64)
	if err != nil {
		return err
	}
	ask := offset
	if offset == -1 {
		ask = math.MaxInt64
	}
	data, size, err := e.piece(r, who, p, ask, length)
	if err != nil {
		return missing(err, "", "read")
	}
	if offset == -1 {
		offset = size
	}
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.Begin("")
		doc.Str("data", string(data))
		doc.Int("offset", offset)
		doc.End()
	})
}

// number reads a parameter. -1 means that it is not given; anything else below zero is an error.
func number(r *http.Request, name string, otherwise int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, endpoint.BadRequest("Failed to parse %s: Failed to convert '%s' to number.\n", name, text)
	}
	if n < -1 {
		return 0, endpoint.BadRequest("Negative %s provided: %d.\n", name, n)
	}
	if n == -1 {
		return otherwise, nil
	}
	return n, nil
}

// download answers /files/download. Whatever the file is, a browser is told to keep it and not to show it: it comes
// from a task, and must not run as a page of the agent's.
func (e *Endpoints) download(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	f, info, err := e.open(r.Context(), who, p)
	if err != nil {
		return missing(err, "404 Not Found.", "download")
	}
	defer func() { _ = f.Close() }()
	if info.IsDir() {
		return missing(errDirectory, "", "download")
	}
	return send(w, r, f, info)
}

func send(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo) error {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", "attachment; filename="+quoted(info.Name()))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// quoted puts a file's name into quotes where a header needs them.
func quoted(name string) string {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c) {
			return strconv.QuoteToASCII(name)
		}
	}
	return name
}

// debug answers /files/debug: which path leads to which directory.
func (e *Endpoints) debug(w http.ResponseWriter, r *http.Request, who access.Principal) error {
	if err := e.endpointAllowed(r, who, "/files/debug"); err != nil {
		return err
	}
	s, err := e.present()
	if err != nil {
		return err
	}
	paths := map[string]string{}
	for box := range sandboxes(s) {
		for _, p := range append(box.virtual()[:1], box.executor.Directory) {
			if _, later := paths[p]; !later {
				paths[p] = box.executor.Directory
			}
		}
	}
	return endpoint.Document(w, r, func(doc *document.Writer) {
		doc.Begin("")
		for _, p := range sortedKeys(paths) {
			doc.Str(p, paths[p])
		}
		doc.End()
	})
}
