package bolt

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// written is a database with a few pages of values, one of them longer than a page.
func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("bucket"))
		for n := 0; n < 100 && err == nil; n++ {
			err = b.Put([]byte{byte(n)}, bytes.Repeat([]byte{byte(n)}, 200*(1+n%50)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsWholeIsRead(t *testing.T) {
	t.Parallel()
	path := written(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, empty, filepath.Dir(path), filepath.Join(path, "nothing")} {
		if err := Check(p); err != nil {
			t.Error(err)
		}
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := Check(path); err != nil {
		t.Errorf("a database in use: %v", err)
	}
}

func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	page := int64(os.Getpagesize())
	noise := bytes.Repeat([]byte{0xa5}, 3*int(page))
	for name, damage := range map[string]func(f *os.File) error{
		"cut":              func(f *os.File) error { return f.Truncate(5 * page) },
		"noise":            func(f *os.File) error { _, err := f.WriteAt(noise, 4*page); return err },
		"noise at the end": func(f *os.File) error { _, err := f.WriteAt(noise, 10*page); return err },
		"all but the two first pages": func(f *os.File) error {
			info, err := f.Stat()
			if err == nil {
				_, err = f.WriteAt(make([]byte, info.Size()-2*page), 2*page)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := damage(f); err != nil {
				t.Fatal(err)
			}
			if err := Check(path); err == nil || !strings.HasPrefix(err.Error(), path+" is damaged: ") {
				t.Errorf("Check = %v", err)
			}
		})
	}
}
