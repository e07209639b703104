package scaffold

import (
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// checkout is the SDK's source in this repository.
const checkout = "../../sdk"

func mustNew(t *testing.T, o Options) *Plugin {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func contents(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		dir := filepath.Join(t.TempDir(), "new")
		p := mustNew(t, Options{Kind: kind, Name: "my-own2", Dir: dir, SDK: checkout, Module: "example.org/x/y/v2"})
		want := []string{".gitignore", "README.md", "conformance_test.go", "go.mod", "go.sum", "local.hcl", "main.go", "main_test.go"}
		if got := contents(t, dir); !slices.Equal(got, want) || !slices.Equal(p.Files, want) {
			t.Errorf("%s: the folder has %v, and %v is said", kind, got, p.Files)
		}
		for _, name := range want {
			text := read(t, filepath.Join(dir, name))
			if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") || strings.Contains(text, "\n\n\n") || !strings.HasSuffix(text, "\n") {
				t.Errorf("%s %s is not filled in, or not tidy:\n%s", kind, name, text)
			}
			if tidy, err := format.Source([]byte(text)); strings.HasSuffix(name, ".go") && (err != nil || string(tidy) != text) {
				t.Errorf("%s %s is not formatted as gofmt does: %v", kind, name, err)
			}
		}
		for name, has := range map[string]string{
			"main.go": `("my-own2", "0.1.0", New)`, "local.hcl": `plugin "` + kind + `" "my-own2" {`, "go.mod": "module example.org/x/y/v2\n",
			"README.md": "go build -o bin/" + kind + "-my-own2 .", "conformance_test.go": `Kind:   "` + kind + `"`,
		} {
			if !strings.Contains(read(t, filepath.Join(dir, name)), has) {
				t.Errorf("%s %s does not have %s", kind, name, has)
			}
		}
		// The style guide's smallest plugin: who opens main.go sees it whole.
		if text := read(t, filepath.Join(dir, "main.go")); strings.Count(text, "\n") > 60 || len(strings.Fields(text)) > 300 {
			t.Errorf("the %s's main.go has %d lines and %d words", kind, strings.Count(text, "\n"), len(strings.Fields(text)))
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A released program's skeleton requires the SDK of the same release, and nothing of this machine.
func TestReleased(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v0.3.0", "v1.0.0-rc.1", "v1.12.3"} {
		dir := filepath.Join(t.TempDir(), "new")
		p := mustNew(t, Options{Kind: "allocator", Name: "mine", Dir: dir, Version: version})
		want := "module example.com/allocator-mine\n\ngo " + goVersion + "\n\nrequire github.com/mezzo-cluster/mezzo/sdk " + version + "\n"
		if got := read(t, filepath.Join(dir, "go.mod")); got != want || p.Local || slices.Contains(p.Files, "go.sum") {
			t.Errorf("%s: go.mod is %q, %+v", version, got, p)
		}
		if text := read(t, filepath.Join(dir, "README.md")); !strings.Contains(text, "\ngo mod tidy ") || strings.Contains(text, "dropreplace") {
			t.Errorf("its README does not fetch the SDK:\n%s", text)
		}
	}
	text, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.Go.Version != goVersion {
		t.Errorf("the SDK needs Go %s, and a skeleton says %s", f.Go.Version, goVersion)
	}
}

func TestNoRelease(t *testing.T) {
	t.Parallel()
	for _, version := range []string{
		"", "devel", "549dd4b", "549dd4b-dirty", "v0.3.0-5-gabc1234", "v0.3.0-5-gabc1234-dirty", "v0.3.0-dirty", "v1.0.0-rc.1-2-gabc1234",
		"v0.0.0-20261121094710-abcdefabcdef", "v0.3.1-0.20261121094710-abcdefabcdef+dirty", "v1", "v1.2", "1.2.3", "sdk/v1.2.3",
	} {
		dir := filepath.Join(t.TempDir(), "new")
		_, err := New(Options{Kind: "allocator", Name: "mine", Dir: dir, Version: version})
		if err == nil || !strings.Contains(err.Error(), "--sdk DIR") {
			t.Errorf("%q counts as a release: %v", version, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%q: the folder is there", version)
		}
	}
}

func TestCheckoutsSDK(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	mustNew(t, Options{Kind: "isolator", Name: "mine", Dir: dir, SDK: checkout, Version: "v0.3.0"})
	f, err := modfile.Parse("go.mod", []byte(read(t, filepath.Join(dir, "go.mod"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Replace) != 1 || !filepath.IsAbs(f.Replace[0].New.Path) || f.Replace[0].Old.Path != sdkModule || f.Require[0].Mod.Version != "v0.3.0" {
		t.Errorf("go.mod: %s", read(t, filepath.Join(dir, "go.mod")))
	}
	if read(t, filepath.Join(dir, "go.sum")) != read(t, filepath.Join(checkout, "go.sum")) {
		t.Error("go.sum is not the SDK's")
	}
	spaced := filepath.Join(t.TempDir(), "with space")
	copySDK(t, spaced)
	mustNew(t, Options{Kind: "isolator", Name: "mine", Dir: filepath.Join(t.TempDir(), "new"), SDK: spaced})
}

// copySDK makes a folder with what of the SDK a skeleton is made from.
func copySDK(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, filepath.Join(checkout, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is wrong, the error says it, and nothing is there that was not before.
func TestRefusals(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	full, file := filepath.Join(root, "full"), filepath.Join(root, "file")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(full, "notes.txt")} {
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := Options{Kind: "allocator", Name: "mine", Dir: filepath.Join(root, "new"), SDK: checkout}
	for want, change := range map[string]func(*Options){
		`no skeleton of kind "volume"; the kinds are allocator, authorizer, isolator`: func(o *Options) { o.Kind = "volume" },
		`did you mean "my-plugin"?`:            func(o *Options) { o.Name = "My_Plugin" },
		`and not ""`:                           func(o *Options) { o.Name = "" },
		`did you mean "a-b"?`:                  func(o *Options) { o.Name = "-a--b-" },
		`did you mean "etc-passwd"?`:           func(o *Options) { o.Name = "../etc.passwd" },
		`and not "ü"`:                          func(o *Options) { o.Name = "ü" },
		`at most 63`:                           func(o *Options) { o.Name = strings.Repeat("x", 64) },
		`call it "mine"`:                       func(o *Options) { o.Name = "allocator-mine" },
		"--module is a module's path":          func(o *Options) { o.Module = "not a path" },
		"is not empty: it has notes.txt":       func(o *Options) { o.Dir = full },
		"no folder that can be read":           func(o *Options) { o.Dir = file },
		"there is no folder " + root + "/none": func(o *Options) { o.Dir = filepath.Join(root, "none", "new") },
		"--sdk " + root + ": read the SDK's":   func(o *Options) { o.SDK = root },
		"its SDK is in ":                       func(o *Options) { o.SDK = "../.." },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	if got := contents(t, root); !slices.Equal(got, []string{"file", "full"}) {
		t.Errorf("left behind: %v", got)
	}
	if got := contents(t, full); !slices.Equal(got, []string{"notes.txt"}) {
		t.Errorf("left behind: %v", got)
	}
}

// A write that goes wrong takes back what was written before it; a folder that was there stays.
func TestWriteTakesBack(t *testing.T) {
	t.Parallel()
	there := t.TempDir()
	absent := filepath.Join(t.TempDir(), "new")
	files := map[string][]byte{"a": []byte("x"), "b": []byte("y"), "no/such/folder": nil}
	for _, dir := range []string{there, absent} {
		if err := write(dir, files); err == nil || !strings.Contains(err.Error(), "no/such/folder") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if got := contents(t, there); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
	if _, err := os.Stat(absent); !os.IsNotExist(err) {
		t.Errorf("the folder is there: %v", err)
	}
	delete(files, "no/such/folder")
	if err := write(there, files); err != nil || !slices.Equal(contents(t, there), slices.Sorted(maps.Keys(files))) {
		t.Errorf("into an empty folder: %v, %v", err, contents(t, there))
	}
}
