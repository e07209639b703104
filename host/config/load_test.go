package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what is got into the files of expected errors")

// TestBadFiles reads the files of testdata/bad: a configuration, a line of dashes, and the whole error.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/bad/*.case")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range cases {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source, want, found := strings.Cut(string(text), "----\n")
			if !found {
				t.Fatal("no line of dashes")
			}
			got := loadError(t, source)
			if *update {
				if err := os.WriteFile(name, []byte(source+"----\n"+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != strings.TrimSuffix(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// loadError is the error that a configuration gives, with the name of the file's folder taken out.
func loadError(t *testing.T, source string) string {
	t.Helper()
	file := write(t, "bad.hcl", source)
	_, err := Load(file)
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if len(wrong.Diagnostics()) == 0 || wrong.Diagnostics()[0].File != file {
		t.Errorf("diagnostics %+v do not name the file", wrong.Diagnostics())
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(file)+string(filepath.Separator), "")
}

func write(t *testing.T, name, source string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t *testing.T, source string) *Settings {
	t.Helper()
	s, err := Load(write(t, "good.hcl", source))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLocal(t *testing.T) {
	t.Parallel()
	s := load(t, `
		log { level = "debug" }
		master {
			listen   = "127.0.0.1:0"
			data_dir = "/var/lib/mezzo/master"
			agent_listen = "127.0.0.1:7"
			agent_reregister_timeout = "10mins"
		}
		agent {
			work_dir   = "/var/lib/mezzo/agent"
			attributes = { rack = "r7", level = 10 }
			resources  = "cpus:4;mem:1024"
			executor_environment_variables = { PATH = upper("/bin") }
		}
		plugin "allocator" "drf" {
			sha256 = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"
		}
		plugin "isolator" "b" {}
		plugin "isolator" "a" { timeout = "2m" }
	`)
	if s.Master.AgentReregisterTimeout != 10*time.Minute || s.Master.MaxAgentPingTimeouts != 5 {
		t.Errorf("master %+v", s.Master)
	}
	if got := s.Agent.Masters; !reflect.DeepEqual(got, []string{"127.0.0.1:7"}) {
		t.Errorf("masters %v, want the master's own listener", got)
	}
	if s.Agent.Attributes != "level:10;rack:r7" || s.Agent.ExecutorEnvironmentVariables["PATH"] != "/BIN" {
		t.Errorf("agent %+v", s.Agent)
	}
	if got := s.Of("isolator"); len(got) != 2 || got[0].Name != "b" || got[1].Timeout != 2*time.Minute || got[1].TLS != "auto" {
		t.Errorf("isolators %+v", got)
	}
	if got := s.Plugins[0]; got.SHA256 != "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" || got.Path("/p") != "/p/allocator-drf" {
		t.Errorf("allocator %+v", got)
	}
	if s.Log != (Log{Level: "debug", Format: "text"}) || len(s.Warnings) != 0 {
		t.Errorf("log %+v, warnings %q", s.Log, s.Warnings)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, source := range map[string]string{
		"2.hcl":   `plugin "isolator" "second" {}`,
		"1.hcl":   `plugin "isolator" "first" {}`,
		"a.hcl":   `agent { work_dir = "/x" ` + "\n" + ` masters = ["a:1"] }`,
		"ignored": `nonsense`,
	} {
		source = strings.ReplaceAll(source, ` }`, "\n}")
		source = strings.ReplaceAll(source, `{ `, "{\n")
		if err := os.WriteFile(filepath.Join(folder, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 3 || s.Plugins[0].Name != "first" || s.Plugins[1].Name != "second" || s.Agent == nil {
		t.Errorf("got %+v", s)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no *.hcl file") {
		t.Errorf("an empty folder gives %v", err)
	}
}

func TestInsecureIsSaidAtEveryStart(t *testing.T) {
	t.Parallel()
	s := load(t, `
		master {
			listen   = ":5050"
			advertise = "10.0.0.1:5050"
			data_dir = "/x"
			insecure = true
		}
		plugin "allocator" "drf" {}
	`)
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], `the master's listen :5050 can be reached`) {
		t.Errorf("warnings %q", s.Warnings)
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	source := `
		agent {
			work_dir = abspath("work")
			masters  = split(",", "a:1,b:2")
			hostname = trimspace(file("name.txt"))
			resources = env("MEZZO_SURELY_NOT_SET", "cpus:1")
		}`
	for name, text := range map[string]string{"a.hcl": source, "name.txt": "box\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(filepath.Join(folder, "a.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	a := s.Agent
	if a.WorkDir != filepath.Join(folder, "work") || a.Hostname != "box" || a.Resources != "cpus:1" || len(a.Masters) != 2 {
		t.Errorf("agent %+v", a)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"200ms": 200 * time.Millisecond, "1weeks": 168 * time.Hour, "10mins": 10 * time.Minute, "1.5hrs": 90 * time.Minute,
		"0s": 0, "1h30m": 90 * time.Minute, "3secs": 3 * time.Second, "2days": 48 * time.Hour,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "15", "-1s", "NaNsecs", "Infsecs", "1e300weeks", "-1secs", "secs", "1 fortnight"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// FuzzLoad: whatever stands in the file, reading it ends in settings or in an error with a place in the file.
func FuzzLoad(f *testing.F) {
	f.Add(`master { data_dir = "x" }`)
	f.Add("plugin \"allocator\" \"drf\" {\n config {\n a = b\n }\n}\n")
	f.Add("agent {\n attributes = { a = \"b\" }\n work_dir = \"${upper(\"x\")}\"\n}")
	f.Add("log { level = null }")
	f.Fuzz(func(t *testing.T, source string) {
		r := &reader{settings: &Settings{Files: []string{"f.hcl"}}, sources: map[string][]byte{}}
		r.read("f.hcl", []byte(source))
		r.finish()
		if err := newError(r.diags, r.sources); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// TestCgroup reads limits, and shows what comes of them later at their place.
func TestCgroup(t *testing.T) {
	t.Parallel()
	s := load(t, `
		master { data_dir = "/var/lib/mezzo/master" }
		plugin "allocator" "drf" {
			cgroup {
				cpus   = 0.5
				memory = "256MiB"
				pids   = 64
			}
		}
		plugin "authorizer" "opa" {
			user = "nobody"
			cgroup {}
		}
		plugin "isolator" "a" {}
	`)
	if got := s.Plugins[0].Cgroup; got == nil || *got != (Cgroup{CPUs: 0.5, Memory: 256 << 20, PIDs: 64}) {
		t.Errorf("limits %+v", got)
	}
	if got := s.Plugins[1].Cgroup; got == nil || *got != (Cgroup{}) {
		t.Errorf("no limits are %+v", got)
	}
	if got := s.Plugins[2].Cgroup; got != nil {
		t.Errorf("without the block: %+v", got)
	}
	cause := errors.New("there are none")
	for name, place := range map[string]string{"cgroup": "good.hcl:12:4: Not possible here: there are none.\n  12 | \t\t\tcgroup {}\n     | \t\t\t^^^^^^", "user": "good.hcl:11:4: "} {
		if err := s.Plugins[1].At(name, cause); err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := s.Plugins[2].At("cgroup", cause); err == nil || !strings.Contains(err.Error(), "good.hcl:14:3: Not possible here: there are none.\n  14 | ") {
		t.Errorf("what is not there: %v", err)
	}
}
