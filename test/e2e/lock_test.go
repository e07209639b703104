//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var pinned = regexp.MustCompile(`(?m)^  sha256 = .*\n`)

// unpin takes the checksums out of a configuration file.
func unpin(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := pinned.ReplaceAllString(string(data), "")
	if text == string(data) {
		t.Fatalf("no checksum in %s", data)
	}
	write(t, filepath.Dir(path), filepath.Base(path), text)
}

// touched replaces a program by one that does the same and has another checksum.
func touched(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", append(data, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// locks runs `mezzo plugin lock`, which must succeed, and returns the lock file's path.
func locks(t *testing.T, config string) string {
	t.Helper()
	if r := command(t, "mezzo", "plugin", "lock", config); r.status != 0 {
		t.Fatalf("lock %s: %s", config, r)
	}
	return strings.TrimSuffix(config, ".hcl") + ".lock.json"
}

// Plugins that the lock file alone pins are started, and others are not: not by a daemon, not by a check, not by a reload.
func TestPluginLock(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := newCluster(t, s)
	t.Cleanup(c.stop)
	master, program := filepath.Join(c.dir, "master.hcl"), filepath.Join(dir, "allocator-drf")
	configs := []string{master, c.agents[0].config}
	for _, config := range configs {
		unpin(t, config)
		mustSay(t, command(t, "mezzo", "config", "validate", config), 1, "no sha256 is configured", "`mezzo plugin lock FILE`")
	}
	mustSay(t, command(t, "mezzo", "master", master), 1, `allocator "drf"`, "no sha256 is configured", "`mezzo plugin lock FILE`")
	checkNothingStarted(t, c, dir)
	for _, config := range configs {
		locks(t, config)
		if r := command(t, "mezzo", "config", "validate", config); r.status != 0 {
			t.Fatalf("locked: %s", r)
		}
	}
	before := checksum(t, program)
	touched(t, program)
	after := checksum(t, program)
	for _, args := range [][]string{{"master", master}, {"config", "validate", master}} {
		mustSay(t, command(t, "mezzo", args...), 1, `allocator "drf"`, before, after, "`mezzo plugin lock FILE`")
	}
	checkNothingStarted(t, c, dir)
	locks(t, master)
	c.master.start()
	c.agents[0].start()
	c.wait()
	f := subscribe(t, c)
	f.launch(shell("locked", "exit 0"))
	f.end("locked", "STARTING RUNNING FINISHED")
	running := ready(t, c.address, "allocator", 0)
	touched(t, program)
	mustSay(t, c.mezzo("plugin", "reload", "allocator", "drf"), 1, "the plugin goes on as it is", after, checksum(t, program))
	if now := ready(t, c.address, "allocator", 0); now.PID != running.PID {
		t.Errorf("a changed program was started: %+v", now)
	}
	locks(t, master)
	if r := c.mezzo("plugin", "reload", "allocator", "drf"); r.status != 0 {
		t.Errorf("reload after the lock: %s", r)
	}
}

// What a lock file pins against a block's checksum is told, and no program is run to lock it that its block forbids.
func TestPluginLockAgainstBlocks(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := newCluster(t, s)
	master, program := filepath.Join(c.dir, "master.hcl"), filepath.Join(dir, "allocator-drf")
	lock := locks(t, master)
	before := checksum(t, program)
	touched(t, program)
	mustSay(t, command(t, "mezzo", "plugin", "lock", master), 1, `allocator "drf"`, before, checksum(t, program))
	config := replaced(t, master, before, checksum(t, program))
	data, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "master-changed.lock.json", string(data))
	for _, args := range [][]string{{"config", "validate", config}, {"config", "validate", "--offline", config}, {"master", config}} {
		mustSay(t, command(t, "mezzo", args...), 1, "master-changed.hcl:", "Two checksums", before, "`mezzo plugin lock "+config+"`")
	}
	write(t, c.dir, "master-changed.lock.json", `{"format": 2}`)
	mustSay(t, command(t, "mezzo", "master", config), 1, "master-changed.lock.json", "it has format 2", "`mezzo plugin lock "+config+"`")
	locks(t, config)
	if r := command(t, "mezzo", "config", "validate", config); r.status != 0 {
		t.Errorf("after the remedy: %s", r)
	}
	mustSay(t, command(t, "mezzo", "plugin", "lock", replaced(t, master, `"allocator" "drf" {`, "\"allocator\" \"drf\" {\n binary = \""+dir+"/authorizer-opa\"",
		before, checksum(t, filepath.Join(dir, "authorizer-opa")))), 1, `allocator "drf"`, "is no allocator")
	checkNothingStarted(t, c, dir)
}

// A configuration is checked where its plugins are not, by what the lock file keeps of them, as if they were there.
func TestValidateOffline(t *testing.T) {
	t.Parallel()
	s, dir := hobbled(t)
	c := newCluster(t, s)
	master := filepath.Join(c.dir, "master.hcl")
	unpin(t, master)
	mustSay(t, command(t, "mezzo", "config", "validate", "--offline", master), 1, "master.hcl:", `plugin "allocator" "drf" {`, "Plugin not locked", "master.lock.json", "`mezzo plugin lock "+master+"`")
	lock, err := os.ReadFile(locks(t, master))
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "master-changed.lock.json", string(lock))
	mistakes := map[string][]string{
		"polices =": {"policies =", `did you mean "policies"`}, "policies = 5 #": {"policies =", "a string is needed"},
		"colour = 1\n policies =": {"policies =", `"colour"`},
	}
	online := map[string]string{}
	for to, from := range mistakes {
		online[to] = command(t, "mezzo", "config", "validate", replaced(t, master, from[0], to)).stderr
	}
	for _, name := range []string{"allocator-drf", "authorizer-opa"} {
		defer hide(t, dir, name)()
	}
	if r := command(t, "mezzo", "config", "validate", master); r.status == 0 {
		t.Fatalf("the plugins are there: %s", r)
	}
	r := command(t, "mezzo", "--output", "json", "config", "validate", "--offline", master)
	if got := decode[map[string]any](t, r.stdout); r.status != 0 || got["valid"] != true || got["plugins_checked"] != 2.0 {
		t.Errorf("the good one: %s", r)
	}
	for to, from := range mistakes {
		config := replaced(t, master, from[0], to)
		r := command(t, "mezzo", "config", "validate", "--offline", config)
		if r.status != 1 || r.stderr != online[to] || !strings.Contains(strings.ToLower(r.stderr), strings.ToLower(from[1])) || !strings.Contains(r.stderr, fmt.Sprintf("%s:%d:", config, line(t, config, to))) {
			t.Errorf("%s: %s\nand with the plugins: %s", to, r, online[to])
		}
	}
	// Both mistakes at once, in one block that is not locked and in one that is.
	both := replaced(t, master, `"allocator" "drf"`, `"allocator" "other"`, "policies =", "polices =")
	mustSay(t, command(t, "mezzo", "config", "validate", "--offline", both), 1, `allocator "other"`, "Plugin not locked", "polices")
	checkNothingStarted(t, c, dir)
}

// line is the line of a file, from 1, on which a text stands.
func line(t *testing.T, path, text string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(data), text)
	if !found {
		t.Fatalf("no %q in %s", text, data)
	}
	return strings.Count(before, "\n") + 1
}
