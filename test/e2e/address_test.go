//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// Masters and agents may be given as HOST:PORT or as URLs, everywhere, and what is neither is told apart from what
// does not answer.
func TestAddresses(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	agent := c.agents[0].address
	for _, form := range []string{"%s", "http://%s", "http://%s/"} {
		master, at := strings.Replace(form, "%s", c.address, 1), strings.Replace(form, "%s", agent, 1)
		if r := command(t, "mezzo", "agents", "--master", master); r.status != 0 || !strings.Contains(r.stdout, "0/4") {
			t.Errorf("agents of %s: %s", master, r)
		}
		if r := command(t, "mezzo", "plugin", "list", "--master", master, "--agent", at); r.status != 0 || !strings.Contains(r.stdout, "cgroups") {
			t.Errorf("plugins of %s: %s", at, r)
		}
		if r := command(t, "framework", "--master", master, "--tasks", "2"); r.status != 0 || strings.Count(r.stdout, "TASK_FINISHED") != 2 {
			t.Errorf("framework on %s: %s", master, r)
		}
	}
	for text, says := range map[string]string{
		"127.0.0.1": "missing port", "ftp://" + c.address: "its scheme is ftp", c.address + "/state": "something follows the port", "": "it is empty",
	} {
		const expecting = "expecting HOST:PORT or http://HOST:PORT"
		mustSay(t, command(t, "framework", "--master", text), 2, says, expecting)
		mustSay(t, command(t, "mezzo", "ps", "--master", text+","+c.address), 2, says, expecting)
		mustSay(t, command(t, "mezzo", "plugin", "list", "--agent", text), 2, says, expecting)
	}
}
