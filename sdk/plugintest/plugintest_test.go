package plugintest_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/plugintest"
)

var testPlugin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "testplugin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	testPlugin = filepath.Join(dir, "testplugin")
	build := exec.Command("go", "build", "-o", testPlugin, "./testplugin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test plugin: %v\n%s", err, out)
		return 1
	}
	// The tests mostly wait, so more of them than there are processors run at a time.
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func as(t *testing.T, kind, mode string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), kind+"-"+mode)
	if err := os.Link(testPlugin, path); err != nil {
		t.Fatal(err)
	}
	return path
}

var kinds = []string{"allocator", "authorizer", "isolator"}

// TestGood: a plugin that does what its contract says passes every check.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			plugintest.Test(t, plugintest.Options{
				Kind: kind, Binary: as(t, kind, "good"), Config: `{"marker":"kit","level":"9"}`,
				BadConfigs: []string{`{"path":"/nowhere"}`, `{"rule":[{"name":"bad"}]}`}, Timeout: 20 * time.Second,
			})
		})
	}
}

// TestBad: of each plugin that is bad in some way, the kit says so.
func TestBad(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ check, problem string }{
		"hangs":      {"", ""},
		"stopped":    {"", ""},
		"dies":       {"", ""},
		"lies":       {"", ""},
		"floods":     {"output", "bytes"},
		"grandchild": {"nothing left behind", "that it started is gone: not within"},
		"old":        {"describe", "and should serve mezzo."},
		"mute":       {"start and handshake", "no handshake"},
		"garbage":    {"start and handshake", "Hello! I am a plugin"},
		"early":      {"start and handshake", "the moon is in the wrong phase"},
		"elsewhere":  {"start and handshake", "/run/elsewhere.sock"},
		"protocol":   {"start and handshake", "should be 1|1"},
		"mumbles":    {"configure", "warns about the configuration without a word"},
	} {
		for _, kind := range kinds {
			t.Run(kind+"/"+mode, func(t *testing.T) {
				t.Parallel()
				timeout := 20 * time.Second
				if mode == "hangs" || mode == "stopped" || mode == "mute" {
					timeout = 2 * time.Second // which passes in vain
				}
				results, err := plugintest.Verify(t.Context(), plugintest.Options{
					Kind: kind, Binary: as(t, kind, mode), Config: `{"marker":"kit"}`, Timeout: timeout, FailFast: true,
				}, nil)
				if err != nil {
					t.Fatal(err)
				}
				caught := false
				for _, r := range results {
					for _, p := range r.Report() {
						caught = caught || ((want.check == "" || r.Check == want.check) && strings.Contains(p, want.problem))
					}
				}
				if !caught {
					t.Errorf("the kit does not say %q in %q, but %+v", want.problem, want.check, results)
				}
			})
		}
	}
}

// TestTools: an authorizer need have no tools for those who write policies, but those it has must not lie.
func TestTools(t *testing.T) {
	t.Parallel()
	o := plugintest.Options{Kind: "authorizer", Binary: as(t, "authorizer", "toolless"), Config: `{"marker":"kit"}`, Timeout: 20 * time.Second}
	results, err := plugintest.Verify(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	skipped := 0
	for _, r := range results {
		if strings.HasPrefix(r.Check, "policy tools") && strings.Contains(r.Skipped, "PolicyTools") {
			skipped++
		}
		if !r.Passed() {
			t.Errorf("%+v", r)
		}
	}
	if skipped != 4 {
		t.Errorf("%d checks were skipped", skipped)
	}
	o.Binary = as(t, "authorizer", "fibs")
	if results, err = plugintest.Verify(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, r := range results {
		if r.Passed() == strings.HasPrefix(r.Check, "policy tools") && r.Check != "policy tools without a configuration" && r.Check != "policy tools and bad questions" {
			t.Errorf("%+v", r)
		}
		said += strings.Join(r.Problems, "\n") + "\n"
	}
	for _, want := range []string{"names no test", "has no severity", "NaN is no percentage", "a file without a name", "the lines 5 to 2", `by the revision ""`} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
}

// TestBare: a plugin needs no Shutdown, and no TLS where its operators say so.
func TestBare(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		results, err := plugintest.Verify(t.Context(), plugintest.Options{
			Kind: "authorizer", Binary: as(t, "authorizer", "bare"), Plain: plain, Timeout: 20 * time.Second,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, r := range results {
			switch r.Check {
			case "end when asked":
				if seen++; !r.Passed() {
					t.Errorf("%+v", r)
				}
			case "TLS":
				if seen++; plain != (r.Skipped != "") || plain != r.Passed() || !plain && !strings.Contains(r.Problems[0], "--tls off") {
					t.Errorf("plain: %v: %+v", plain, r)
				}
			}
		}
		if seen != 2 {
			t.Errorf("not all checks were made: %+v", results)
		}
	}
}

// TestBadLauncher: of isolators that start containers and contribute resources, what is wrong in that is said.
func TestBadLauncher(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ check, problem string }{
		"wrongpid":  {"a launched container's life", "is not the container's"},
		"earlywait": {"a launched container's life", "Wait says that a container which runs has ended"},
		"nonsense":  {"contributed resources", "widgets(reservations: [(STATIC,ops)]):4"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			results, err := plugintest.Verify(t.Context(), plugintest.Options{
				Kind: "isolator", Binary: as(t, "isolator", mode), Config: `{"marker":"kit"}`, Timeout: 20 * time.Second, FailFast: true,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			last := results[len(results)-1]
			if last.Check != want.check || !strings.Contains(strings.Join(last.Problems, "\n"), want.problem) {
				t.Errorf("the kit does not say %q in %q, but %+v", want.problem, want.check, last)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if _, err := plugintest.Verify(t.Context(), plugintest.Options{Kind: "spoon", Binary: "x"}, nil); err == nil {
		t.Error("an unknown kind is taken")
	}
	if _, err := plugintest.Verify(t.Context(), plugintest.Options{Kind: "isolator"}, nil); err == nil {
		t.Error("no binary is taken")
	}
	results, err := plugintest.Verify(t.Context(), plugintest.Options{Kind: "isolator", Binary: "/nowhere"}, nil)
	if err != nil || len(results) != 1 || results[0].Passed() || !strings.Contains(results[0].Problems[0], "/nowhere") {
		t.Errorf("%+v, %v", results, err)
	}
}

// What leaks with each container is found by using it for containers.
func TestHoards(t *testing.T) {
	t.Parallel()
	results, err := plugintest.Verify(t.Context(), plugintest.Options{
		Kind: "isolator", Binary: as(t, "isolator", "hoards"), Timeout: 5 * time.Second,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if found := strings.Contains(strings.Join(r.Problems, "\n"), "no more descriptors than"); found != (r.Check == "nothing left behind") {
			t.Errorf("%s: %q", r.Check, r.Problems)
		}
	}
}

// A report says what is wrong, what the contract says and where, and what the plugin printed.
func TestReport(t *testing.T) {
	t.Parallel()
	results, err := plugintest.Verify(t.Context(), plugintest.Options{Kind: "isolator", Binary: as(t, "isolator", "early"), FailFast: true}, nil)
	if err != nil || len(results) != 1 {
		t.Fatalf("%+v, %v", results, err)
	}
	report := strings.Join(results[0].Report(), "\n")
	for _, want := range []string{
		"ended before it was ready: exit status", "\nThe contract: Started without arguments", "\nRead on: docs/vendors/wire.md#starting",
		"\nThe plugin printed: ", "the moon is in the wrong phase",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("it does not say %q:\n%s", want, report)
		}
	}
	if lines := (plugintest.Result{Check: "x", Contract: "y"}).Report(); lines != nil {
		t.Errorf("a check that passed has a report: %q", lines)
	}
}
