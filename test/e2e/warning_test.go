//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A policy with a rule that can never apply is in force, and its author is told wherever they look: at the attribute's
// line when the configuration is checked, when the plugin starts, when it is reloaded, and in the list of plugins.
func TestPluginWarnings(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	config := filepath.Join(c.dir, "master.hcl")
	if r := command(t, "mezzo", "config", "validate", config); r.status != 0 || r.stderr != "" {
		t.Errorf("the shipped policies: %s", r)
	}
	const typo = "\ndeny contains \"nothing is read here\" if input.action == \"acess_sandbox\"\n"
	policy := write(t, c.site.policies, "typo.rego", "package mezzo.authz\n"+typo)
	place := fmt.Sprintf("%s:%d:16: %s:3: there is no action \"acess_sandbox\"; did you mean \"access_sandbox\"?", config, line(t, config, "policies ="), policy)
	r := command(t, "mezzo", "config", "validate", config)
	if r.status != 0 {
		t.Errorf("a warning is no mistake: %s", r)
	}
	for _, want := range []string{`warning: authorizer "opa": ` + place, fmt.Sprintf("policies = %q\n", c.site.policies), " ^^^"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q: %s", want, r)
		}
	}
	if w := decode[struct{ Warnings []string }](t, command(t, "mezzo", "--output", "json", "config", "validate", config).stdout).Warnings; len(w) != 1 || !strings.Contains(w[0], place) {
		t.Errorf("as JSON: %q", w)
	}
	if r := c.mezzo("plugin", "reload", "authorizer", "opa"); r.status != 0 || !strings.Contains(r.stderr, "warning: "+place) {
		t.Errorf("reload: %s", r)
	}
	if r := c.mezzo("plugin", "list"); r.status != 0 || !strings.Contains(r.stdout, "warning: "+place) {
		t.Errorf("list: %s", r)
	}
	if err := healthy(c.address); err != nil {
		t.Errorf("a warning is no problem: %v", err)
	}
	c.master.end(15)
	c.master.start()
	c.wait()
	eventually(t, "the log of the start has it", func() error {
		log := c.master.output()
		if n := strings.Count(log, "the plugin warns about its configuration"); n < 2 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "acess_sandbox") {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	f := subscribe(t, c)
	f.launch(shell("runs", "exit 0"))
	f.end("runs", "STARTING RUNNING FINISHED")
}
