package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// write makes the folder, unless it is there and empty, and the files in it. On error it takes back what it has made.
func write(dir string, files map[string][]byte) (err error) {
	var made []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(made) {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		made = append(made, dir)
	case errors.Is(err, fs.ErrExist):
		if err := checkEmpty(dir); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s to make it in", filepath.Dir(dir))
	default:
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		made = append(made, path)
		if _, err = f.Write(files[name]); err != nil {
			_ = f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil:
		return fmt.Errorf("it is there already and is no folder that can be read: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("the folder is there already and is not empty: it has %s; --dir names another", entries[0].Name())
	default:
		return nil
	}
}
