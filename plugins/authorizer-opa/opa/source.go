package opa

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/loader"

	"github.com/mezzo-cluster/mezzo/sdk"
)

const testSuffix = "_test.rego"

// read parses the policies and data below some paths. Its error holds a loader.Errors where files are wrong.
func read(paths []string, leaveOut loader.Filter) (*loader.Result, error) {
	files, err := loader.NewFileLoader().Filtered(paths, leaveOut)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	if len(files.Modules) == 0 {
		return nil, fmt.Errorf("no .rego file in %s", strings.Join(paths, ", "))
	}
	return files, nil
}

// ignored leaves out hidden files, tests, and what is neither policy nor data.
func ignored(path string, info fs.FileInfo, depth int) bool {
	return ignoredByTests(path, info, depth) || !info.IsDir() && strings.HasSuffix(info.Name(), testSuffix)
}

// ignoredByTests is ignored, save that tests stay.
func ignoredByTests(path string, info fs.FileInfo, _ int) bool {
	name := info.Name()
	if strings.HasPrefix(name, ".") && name != "." && name != ".." {
		return true
	}
	return !info.IsDir() && !slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, filepath.Ext(path))
}

// withTests adds to a file's path that of its tests beside it, NAME_test.rego; a folder has them in it.
func withTests(paths []string) []string {
	out := slices.Clone(paths)
	for _, path := range paths {
		name, ok := strings.CutSuffix(path, ".rego")
		if !ok || strings.HasSuffix(path, testSuffix) || slices.Contains(paths, name+testSuffix) {
			continue
		}
		if info, err := os.Stat(name + testSuffix); err == nil && !info.IsDir() {
			out = append(out, name+testSuffix)
		}
	}
	return out
}

// checkPaths says which of the paths is not there, or not absolute.
func checkPaths(paths []string) error {
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return sdk.Errorf(sdk.InvalidArgument, "the path %q is not absolute", path)
		}
		if _, err := os.Stat(path); err != nil {
			return sdk.Errorf(sdk.InvalidArgument, "read policies: %w", err)
		}
	}
	return nil
}

// fingerprint names the present content of the paths: the same after a restart, another after any change.
func fingerprint(paths []string) (string, error) {
	sum := sha256.New()
	for _, root := range paths {
		err := walk(root, func(rel string, data []byte) {
			fmt.Fprintf(sum, "%s %d\n", rel, len(data))
			sum.Write(data)
		})
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s does not exist", root)
		}
		if err != nil {
			return "", fmt.Errorf("read policies: %w", err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// walk reads every file below a root that is not ignored.
func walk(root string, file func(rel string, data []byte)) error {
	return find(root, func(path string, info fs.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file(rel, data)
		return nil
	})
}

// find calls found for a path and all below it that is not ignored, in order. It goes through links, as OPA's loader
// does: what is loaded and not found would change without anybody being told.
func find(path string, found func(path string, info fs.FileInfo) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if ignored(path, info, 0) {
		return nil
	}
	if err := found(path, info); err != nil || !info.IsDir() {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := find(filepath.Join(path, e.Name()), found); err != nil {
			return err
		}
	}
	return nil
}
