package fetcher_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/fetcher"
)

// makeTar makes an archive of headers; that of a file has its content in its Uname.
func makeTar(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.Uname
		h.Uname = ""
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		} else {
			content = ""
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		h.ModTime = time.Unix(1_000_000_000, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func makeZip(t testing.TB, entries ...zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, h := range entries {
		content := h.Comment
		h.Comment = ""
		f, err := w.CreateHeader(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, content []byte, kind string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gz":
		w = gzip.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// helloBzip2 is a tar archive of a file "hello" with "hello\n" in it, as bzip2 packs it: Go has no writer.
const helloBzip2 = "QlpoOTFBWSZTWQCF3XcAAHF7gMkQAARAAH+AAAhiRJ4ABAggAFQlKaeoepo0AaemoJKaIemoAAH3LvNCC6xCEVwcvyragRJQ0dM1" +
	"AWs1nKKDXyOFuWeq78s2Uh6ncfDg8RE0RA/F3JFOFCQAIXddwA=="

func unzipped(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExtract(t *testing.T) {
	t.Parallel()
	plain := makeTar(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o555},
		tar.Header{Name: "d/run", Mode: 0o4755, Uname: "run"},
		tar.Header{Name: "/abs", Uname: "abs"},
		tar.Header{Name: "./link", Typeflag: tar.TypeSymlink, Linkname: "d/run"},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "./abs"},
		tar.Header{Name: "implied/folder/x", Uname: "x"},
		tar.Header{Name: "abs", Uname: "replaced"},
		tar.Header{Name: "dangling", Typeflag: tar.TypeSymlink, Linkname: "not/there"},
	)
	fromTar := map[string]string{
		"d": "dr-xr-xr-x", "d/run": "-rwxr-xr-x run", "abs": "-rw-r--r-- replaced", "link": "-> d/run", "hard": "-rw-r--r-- abs",
		"implied": "drwxr-xr-x", "implied/folder": "drwxr-xr-x", "implied/folder/x": "-rw-r--r-- x", "dangling": "-> not/there",
	}
	link := zip.FileHeader{Name: "link", Comment: "d/run"}
	link.SetMode(fs.ModeSymlink | 0o777)
	run := zip.FileHeader{Name: "d/run", Method: zip.Deflate, Comment: "run"}
	run.SetMode(0o755)
	folder := zip.FileHeader{Name: "d/"}
	folder.SetMode(fs.ModeDir | 0o750)
	fromZip := map[string]string{"d": "drwxr-x---", "d/run": "-rwxr-xr-x run", "link": "-> d/run"}
	for name, c := range map[string]struct {
		content []byte
		want    map[string]string
	}{
		"a.tar":     {plain, fromTar},
		"a.tgz":     {compressed(t, plain, "gz"), fromTar},
		"a.tar.gz":  {compressed(t, plain, "gz"), fromTar},
		"a.txz":     {compressed(t, plain, "xz"), fromTar},
		"a.tar.xz":  {compressed(t, plain, "xz"), fromTar},
		"a.zip":     {makeZip(t, folder, run, link), fromZip},
		"a.txt.gz":  {compressed(t, []byte("text"), "gz"), map[string]string{"a.txt": "-rw-r--r-- text"}},
		"a.tar.bz2": {unzipped(t, helloBzip2), map[string]string{"hello": "-rw-r--r-- hello\n"}},
		"a.tbz2":    {unzipped(t, helloBzip2), map[string]string{"hello": "-rw-r--r-- hello\n"}},
		"a.txt":     {[]byte("text"), nil},
		".zip":      {[]byte("text"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := writeFile(t, filepath.Join(t.TempDir(), name), c.content)
			sandbox, log, err := fetch(t, fetcher.Config{}, containerizer.URI{Value: source, Extract: true})
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, sandbox)
			if got[name] == "" {
				t.Error("the archive itself is gone")
			}
			delete(got, name)
			for n, w := range c.want {
				if got[n] != w {
					t.Errorf("%s is %q, want %q", n, got[n], w)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v", got)
			}
			if c.want == nil && !strings.Contains(log, "is not extracted") {
				t.Errorf("log %q", log)
			}
		})
	}
}

func TestUnsafeArchives(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	symlink := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	file := tar.Header{Name: "l/x", Uname: "evil"}
	for name, headers := range map[string][]tar.Header{
		"goes up":               {{Name: "../x", Uname: "evil"}},
		"goes up later":         {{Name: "a/../../x", Uname: "evil"}},
		"link out":              {symlink("l", outside), file},
		"link up":               {symlink("l", ".."), file},
		"link up from below":    {symlink("a/b/l", "../../.."), file},
		"hard link out":         {{Name: "l", Typeflag: tar.TypeLink, Linkname: "../x"}},
		"hard link by a link":   {symlink("l", outside), {Name: "h", Typeflag: tar.TypeLink, Linkname: "l/x"}},
		"hidden by other links": {symlink("a/b/c/top", "../../.."), symlink("a/b/c/out", "top/../x")},
		"device":                {{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"pipe":                  {{Name: "p", Typeflag: tar.TypeFifo}},
		"over itself":           {{Name: "a.tar", Uname: "x"}},
		"folder over a file":    {{Name: "f", Uname: "x"}, {Name: "f/y", Uname: "x"}},
		"file over a folder":    {{Name: "f/y", Uname: "x"}, {Name: "f", Uname: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := writeFile(t, filepath.Join(t.TempDir(), "a.tar"), makeTar(t, headers...))
			sandbox, _, err := fetch(t, fetcher.Config{}, containerizer.URI{Value: source, Extract: true})
			if err == nil || !strings.Contains(err.Error(), "extract 'a.tar'") {
				t.Errorf("error %v", err)
			}
			for _, around := range []string{outside, filepath.Dir(sandbox)} {
				if _, err := os.Lstat(filepath.Join(around, "x")); err == nil {
					t.Error("something was written outside of the sandbox")
				}
			}
			for name, what := range tree(t, sandbox) {
				to, ok := strings.CutPrefix(what, "-> ")
				if !ok {
					continue
				}
				if real, err := filepath.EvalSymlinks(filepath.Join(sandbox, name)); err == nil && !strings.HasPrefix(real, sandbox) {
					t.Errorf("the link %s leads to %s", name, to)
				}
			}
		})
	}
}

func TestBombs(t *testing.T) {
	t.Parallel()
	zeros := string(make([]byte, 1<<20))
	manyFiles := make([]tar.Header, 100)
	for i := range manyFiles {
		manyFiles[i] = tar.Header{Name: strings.Repeat("x", i+1)}
	}
	for name, content := range map[string][]byte{
		"large.tgz": compressed(t, makeTar(t, tar.Header{Name: "a", Uname: zeros}, tar.Header{Name: "b", Uname: zeros}), "gz"),
		"large.gz":  compressed(t, []byte(zeros+zeros), "gz"),
		"large.zip": makeZip(t, zip.FileHeader{Name: "a", Method: zip.Deflate, Comment: zeros}, zip.FileHeader{Name: "b", Method: zip.Deflate, Comment: zeros}),
		"many.tgz":  compressed(t, makeTar(t, manyFiles...), "gz"),
	} {
		source := writeFile(t, filepath.Join(t.TempDir(), name), content)
		c := fetcher.Config{MaxUnpackedBytes: 3 << 19, MaxUnpackedFiles: 50}
		sandbox, _, err := fetch(t, c, containerizer.URI{Value: source, Extract: true})
		if err == nil || !strings.Contains(err.Error(), "larger than the site allows") {
			t.Errorf("%s: %v", name, err)
		}
		total := 0
		for _, what := range tree(t, sandbox) {
			total += len(what)
		}
		if total > 2<<20 {
			t.Errorf("%s: %d bytes were written", name, total)
		}
	}
}

func TestDamagedArchives(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.tar", "a.tgz", "a.tbz2", "a.txz", "a.zip", "a.gz"} {
		source := writeFile(t, filepath.Join(t.TempDir(), name), bytes.Repeat([]byte("nonsense"), 200))
		_, _, err := fetch(t, fetcher.Config{}, containerizer.URI{Value: source, Extract: true})
		if err == nil || !strings.Contains(err.Error(), "extract '"+name+"'") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTar unpacks anything, and looks whether something is found outside of the sandbox.
func FuzzTar(f *testing.F) {
	f.Add(makeTar(f, tar.Header{Name: "a/b", Uname: "x"}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"}))
	f.Add(makeTar(f, tar.Header{Name: "../x"}))
	f.Fuzz(func(t *testing.T, content []byte) {
		around := t.TempDir()
		sandbox := filepath.Join(around, "sandbox")
		if err := os.Mkdir(sandbox, 0o755); err != nil {
			t.Fatal(err)
		}
		source := writeFile(t, filepath.Join(t.TempDir(), "a.tar"), content)
		_ = fetcher.New(fetcher.Config{MaxUnpackedBytes: 1 << 20, MaxUnpackedFiles: 100}).Fetch(t.Context(), fetcher.Request{
			URIs: []containerizer.URI{{Value: source, Extract: true}}, Sandbox: sandbox,
		})
		entries, err := os.ReadDir(around)
		if err != nil || len(entries) != 1 {
			t.Errorf("around the sandbox: %v, %v", entries, err)
		}
	})
}
