//go:build linux

package leak

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Snapshot is what was found at one moment: what each thing is, such as `cgroup /sys/fs/cgroup/cpu/mezzo/1f`. Zombies
// are processes, too.
type Snapshot map[string]bool

// Places are where files and cgroups are looked for.
type Places struct {
	// Folders are walked whole; what is in them counts, not they themselves.
	Folders []string
	// Temporary are the folders where what begins with one of Prefixes counts.
	Temporary []string
	Prefixes  []string
	// Cgroup is the name, below each hierarchy's root, of the cgroup that is looked into.
	Cgroup string
}

// DefaultPlaces are where Mezzo's programs put things when no configuration says otherwise.
func DefaultPlaces() Places {
	return Places{
		Folders:   []string{"/run/mezzo"},
		Temporary: []string{"/tmp", os.TempDir()},
		Prefixes:  []string{"mezzo", "plugin"},
		Cgroup:    "mezzo",
	}
}

// Take looks at the machine. Processes are the descendants of this one, so Adopt must have been called for those to
// count whose parents have ended. The calling process's own children that run when the snapshots are taken cancel out.
func Take(p Places) (Snapshot, error) {
	s := Snapshot{}
	var errs []error
	for _, step := range []func(Places, Snapshot) error{processes, mounts, cgroups, namespaces, files} {
		errs = append(errs, step(p, s))
	}
	return s, errors.Join(errs...)
}

// Leaked lists what there is now and was not in the snapshot, in order; of a folder that is new, not what is in it.
// Things on their way out are waited for.
func (s Snapshot) Leaked(p Places, wait time.Duration) ([]string, error) {
	for end := time.Now().Add(wait); ; time.Sleep(50 * time.Millisecond) {
		now, err := Take(p)
		if err != nil {
			return nil, err
		}
		var left []string
		for thing := range now {
			if !s[thing] && (s[filepath.Dir(thing)] || !now[filepath.Dir(thing)]) {
				left = append(left, thing)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			slices.Sort(left)
			return left, nil
		}
	}
}

func processes(_ Places, s Snapshot) error {
	descendants, err := Descendants(os.Getpid())
	for _, d := range descendants {
		s["process "+d.String()] = true
	}
	return err
}

func mounts(_ Places, s Snapshot) error {
	entries, err := mountTable()
	for _, m := range entries {
		s[fmt.Sprintf("mount %s (%s, id %s)", m.point, m.kind, m.id)] = true
	}
	return err
}

func cgroups(p Places, s Snapshot) error {
	entries, err := mountTable()
	if err != nil {
		return err
	}
	for _, m := range entries {
		if m.kind == "cgroup" || m.kind == "cgroup2" {
			if err := walk(filepath.Join(m.point, p.Cgroup), "cgroup ", fs.FileMode.IsDir, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// namespaces finds network namespaces that processes are in, and those that are kept under a name.
func namespaces(_ Places, s Snapshot) error {
	all, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return err
	}
	for _, path := range all {
		if ns, err := os.Readlink(path); err == nil {
			s["network namespace "+ns] = true
		}
	}
	return walk("/run/netns", "network namespace ", nil, s)
}

func files(p Places, s Snapshot) error {
	for _, dir := range p.Folders {
		if err := walk(dir, "file ", nil, s); err != nil {
			return err
		}
	}
	for _, dir := range p.Temporary {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if slices.ContainsFunc(p.Prefixes, func(prefix string) bool { return strings.HasPrefix(e.Name(), prefix) }) {
				s["file "+filepath.Join(dir, e.Name())] = true
			}
		}
	}
	return nil
}

// walk adds everything below a folder that may not be there, and of which parts may go meanwhile.
func walk(root, what string, want func(fs.FileMode) bool, s Snapshot) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path != root && (want == nil || want(d.Type())):
			s[what+path] = true
		}
		return nil
	})
}

type mount struct{ id, point, kind string }

// mountTable reads this process's mounts, as proc(5) has them.
func mountTable() ([]mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []mount
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		first, second, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(first), strings.Fields(second)
		const point = 4
		if !ok || len(left) <= point || len(right) == 0 {
			return nil, fmt.Errorf("read mounts: %q is not a line of mountinfo", lines.Text())
		}
		out = append(out, mount{id: left[0], point: left[point], kind: right[0]})
	}
	return out, lines.Err()
}
