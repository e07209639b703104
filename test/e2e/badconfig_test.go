//go:build linux

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replaced writes a copy of a file, beside it, in which texts are replaced.
func replaced(t *testing.T, path string, oldnew ...string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(data), oldnew[i]) {
			t.Fatalf("%s does not contain %q", path, oldnew[i])
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), ".hcl") + "-changed.hcl"
	return write(t, filepath.Dir(path), name, strings.NewReplacer(oldnew...).Replace(string(data)))
}

// mustSay checks a command's exit status and that its error contains some texts.
func mustSay(t *testing.T, r result, status int, want ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("want exit status %d: %s", status, r)
	}
	for _, w := range want {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("%q is not said: %s", w, r)
		}
	}
}

// bad is a configuration with a mistake, and what has to be said about it.
type bad struct {
	change []string // text replaced by text
	want   []string
}

// Mistakes that `mezzo config validate` finds, and the daemon as well, at their line and with a remedy.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	s, plugins := hobbled(t) // so that its plugins' processes are known from others
	c := newCluster(t, s)
	good := filepath.Join(c.dir, "master.hcl")
	policies := filepath.Join(c.dir, "bad-policies")
	if err := os.Mkdir(policies, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, policies, "bad.rego", "package mezzo.authz\n\nallow if {\n\tinput.subject ==\n}\n")
	sum := checksum(t, filepath.Join(plugins, "allocator-drf"))
	other := strings.Repeat("0", len(sum))
	for name, one := range map[string]bad{
		"syntax":            {[]string{"master {", "master {{"}, []string{"master-changed.hcl:1:", "^"}},
		"unclosed":          {[]string{`plugin "authorizer" "opa" {`, `plugin "authorizer" "opa {`}, []string{"master-changed.hcl:"}},
		"unknown attribute": {[]string{"data_dir ", "data_dri "}, []string{"master-changed.hcl:", `"data_dri"`, `Did you mean "data_dir"`}},
		"unknown block":     {[]string{"master {", "mater {"}, []string{"master-changed.hcl:1:", `Did you mean "master"`}},
		"wrong type":        {[]string{"data_dir ", "agent_ping_timeout = 5\n data_dir "}, []string{"master-changed.hcl:", "agent_ping_timeout", "15s"}},
		"out of range":      {[]string{"data_dir ", "agent_ping_timeout = \"1ms\"\n data_dir "}, []string{"master-changed.hcl:", "agent_ping_timeout", "1s"}},
		"not an address":    {[]string{c.address, "somewhere"}, []string{"master-changed.hcl:2:", "host:port"}},
		"one address twice": {[]string{c.link, c.address}, []string{"master-changed.hcl:3:18: ", "listen and agent_listen are both " + c.address, "port of its own", "^"}},
		"open to the world": {[]string{c.address, "0.0.0.0:1"}, []string{"master-changed.hcl:2:", "TLS", "insecure = true"}},
		"missing plugin":    {[]string{`plugin "allocator" "drf"`, `plugin "allocator" "missing"`}, []string{"master-changed.hcl:", `allocator "missing"`, "allocator-missing", "plugin_dir", "^"}},
		"wrong checksum":    {[]string{sum, other}, []string{"master-changed.hcl:", `allocator "drf"`, sum, other, "| ", "^"}},
		"no such checksum":  {[]string{sum, "abc"}, []string{"master-changed.hcl:", "64 hexadecimal digits"}},
		"no credentials":    {[]string{"data_dir ", "authentication \"basic\" {\n credentials_file = \"/absent\"\n }\n data_dir "}, []string{"master-changed.hcl:5:3: ", "/absent", "| ", "^"}},
		"no certificate":    {[]string{"data_dir ", "tls {\n cert_file = \"/absent\"\n key_file = \"/absent\"\n ca_file = \"/absent\"\n }\n data_dir "}, []string{"master-changed.hcl:5:", "/absent", "| ", "^"}},
		"unknown user":      {[]string{`plugin "allocator" "drf" {`, "plugin \"allocator\" \"drf\" {\n user = \"nosuch\""}, []string{"master-changed.hcl:", `"nosuch"`, "| ", "^"}},
		"one name twice":    {[]string{`plugin "authorizer" "opa"`, `plugin "allocator" "drf"`}, []string{"master-changed.hcl:", "allocator", "already"}},
		"unknown kind":      {[]string{`plugin "authorizer"`, `plugin "authoriser"`}, []string{"master-changed.hcl:", `"authoriser"`, `did you mean "authorizer"`}},
		"plugin attribute":  {[]string{"policies =", "polices ="}, []string{"master-changed.hcl:", `"polices"`, `"policies"`}},
		"plugin type":       {[]string{`policies = "`, `policies = 5 #`}, []string{"master-changed.hcl:", "policies"}},
		"broken policy":     {[]string{c.site.policies, policies}, []string{"master-changed.hcl:", "bad.rego:"}},
		"no policies":       {[]string{c.site.policies, c.dir + "/absent"}, []string{"master-changed.hcl:", c.dir + "/absent"}},
		"plugin not itself": {[]string{`plugin "allocator" "drf" {`, "plugin \"allocator\" \"drf\" {\n binary = \"" + plugins + "/authorizer-opa\"", sum, checksum(t, filepath.Join(plugins, "authorizer-opa"))}, []string{"master-changed.hcl:", "allocator", "authorizer-opa", "^"}},
	} {
		config := replaced(t, good, one.change...)
		mustSay(t, command(t, "mezzo", "config", "validate", config), 1, one.want...)
		mustSay(t, command(t, "mezzo", "master", config), 1, one.want...)
		if t.Failed() {
			t.Fatalf("%s", name)
		}
	}
	if exists(filepath.Join(c.dir, "master", "registry")) {
		t.Error("a master that did not start has made a registry")
	}
	checkNothingStarted(t, c, plugins)
	if r := command(t, "mezzo", "config", "validate", good); r.status != 0 || !strings.Contains(r.stdout, "valid") {
		t.Errorf("the good one: %s", r)
	}
	mustSay(t, command(t, "mezzo", "master", replaced(t, good, sum, sum, "sha256", "#")), 1, `allocator "drf"`, "sha256")
	checkNothingStarted(t, c, plugins)
}

// checkNothingStarted looks for what daemons of a cluster may have left that did not come up.
func checkNothingStarted(t *testing.T, c *cluster, plugins string) {
	t.Helper()
	for _, p := range descendants(t, os.Getpid(), plugins) {
		t.Errorf("process %s is left", p)
	}
	if dir := c.masterRuntime(); exists(dir) {
		t.Errorf("%s is left", dir)
	}
	for _, a := range c.agents {
		c.checkNothingLeft(a)
	}
}

func TestBadAgentConfiguration(t *testing.T) {
	t.Parallel()
	s, plugins := hobbled(t)
	c := newCluster(t, s)
	a := c.agents[0]
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := write(t, c.dir, "file", "")
	sum := checksum(t, filepath.Join(plugins, "isolator-cgroups"))
	for name, one := range map[string]bad{
		"resources":       {[]string{defaultResources, "cpus:many;mem:1"}, []string{"agent-changed.hcl:6:", "cpus:many", "is not a number", "cpus:4;mem:4096"}},
		"resources twice": {[]string{defaultResources, "cpus:1;mem"}, []string{"mem"}},
		"negative":        {[]string{defaultResources, "cpus:-4;mem:1"}, []string{"agent-changed.hcl:6:", "cpus:-4"}},
		"default role":    {[]string{"work_dir", "default_role = \"a b\"\n work_dir"}, []string{"agent-changed.hcl:", "default_role", "'a b'"}},
		"attributes":      {[]string{"work_dir", "attributes = \"rack\"\n work_dir"}, []string{"agent-changed.hcl:", "rack", "name:value"}},
		"port in use":     {[]string{a.address, taken.Addr().String()}, []string{taken.Addr().String(), "address already in use", "another mezzo"}},
		"not a folder":    {[]string{a.workDir(), file}, []string{file}},
		"wrong checksum":  {[]string{sum, strings.Repeat("0", len(sum))}, []string{`isolator "cgroups"`, sum}},
		"no masters":      {[]string{"masters ", "#"}, []string{"agent-changed.hcl:1:", "masters"}},
		"no master block": {[]string{"agent {", "# {\n log {"}, []string{"agent-changed.hcl"}},
		"launcher":        {[]string{"work_dir", "launcher = \"linus\"\n work_dir"}, []string{"agent-changed.hcl:", `did you mean "linux"`}},
	} {
		config := replaced(t, a.config, one.change...)
		r := command(t, "mezzo", "agent", config)
		mustSay(t, r, 1, one.want...)
		if strings.Contains(r.stderr, "panic") || t.Failed() {
			t.Fatalf("%s: %s", name, r)
		}
		checkNothingStarted(t, c, plugins)
	}
}

func TestPortsInUse(t *testing.T) {
	t.Parallel()
	c := startCluster(t, site{})
	other := newCluster(t, site{})
	for _, address := range []string{c.address, c.link} {
		config := replaced(t, filepath.Join(other.dir, "master.hcl"), other.address, address)
		mustSay(t, command(t, "mezzo", "master", config), 1, address, "address already in use")
	}
	mustSay(t, command(t, "mezzo", "master", replaced(t, filepath.Join(other.dir, "master.hcl"), filepath.Join(other.dir, "master"), filepath.Join(c.dir, "master"))), 1, c.dir)
	if err := healthy(c.address); err != nil {
		t.Error(err)
	}
}
