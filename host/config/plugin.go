package config

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Plugin is a plugin block.
type Plugin struct {
	Kind string // "allocator", "authorizer" or "isolator"
	Name string
	// Binary is the absolute path of the program, empty for PLUGIN_DIR/KIND-NAME.
	Binary string
	// SHA256 is the program's checksum in lower-case hexadecimal, empty when not given.
	SHA256 string
	// User and Group run the plugin; names or numbers, empty for the host's own.
	User  string
	Group string
	// Timeout bounds a call; zero means the kind's own.
	Timeout time.Duration
	// Env names the variables of the host's environment that the plugin sees.
	Env []string
	// TLS is "auto" or "off".
	TLS string
	// Cgroup is nil for a plugin without a control group of its own.
	Cgroup *Cgroup

	config pluginConfig
	// at is where the block stands.
	at hcl.Range
}

// pluginConfig is a plugin's config block, unread, with what is needed to read and to report.
type pluginConfig struct {
	body    hcl.Body // nil when there is no config block
	at      hcl.Range
	places  map[string]hcl.Range // of the plugin block's own attributes and blocks
	eval    *hcl.EvalContext
	sources map[string][]byte
}

// Kinds are the kinds of plugin that exist.
func Kinds() []string { return []string{"allocator", "authorizer", "isolator"} }

// single are the kinds of which a configuration has at most one.
var single = map[string]bool{"allocator": true, "authorizer": true}

var (
	namePattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (p *Plugin) fields() []field {
	return []field{
		path("binary", &p.Binary),
		text("sha256", &p.SHA256).and(p.checkSHA256),
		text("user", &p.User),
		text("group", &p.Group),
		duration("timeout", &p.Timeout).between(&p.Timeout, time.Millisecond, time.Hour),
		texts("env", &p.Env).and(p.checkEnv),
		oneOf("tls", &p.TLS, "auto", "off"),
	}
}

func (p *Plugin) checkSHA256() error {
	sum, err := hex.DecodeString(p.SHA256)
	if err != nil || len(sum) != 32 {
		return fmt.Errorf("a SHA-256 checksum has 64 hexadecimal digits; sha256sum FILE prints it")
	}
	p.SHA256 = hex.EncodeToString(sum)
	return nil
}

func (p *Plugin) checkEnv() error {
	for _, name := range p.Env {
		if !variablePattern.MatchString(name) {
			return fmt.Errorf("%q is not the name of a variable; names of the host's variables are let through, values are not set here", name)
		}
	}
	return nil
}

func (r *reader) plugin(block *hcl.Block, eval *hcl.EvalContext) hcl.Diagnostics {
	p := Plugin{Kind: block.Labels[0], Name: block.Labels[1], TLS: "auto", at: block.DefRange}
	diags := r.checkLabels(p, block)
	content, bad := decode(block.Body, eval, p.fields(), hcl.BlockHeaderSchema{Type: "config"}, hcl.BlockHeaderSchema{Type: "cgroup"})
	diags = append(diags, bad...)
	p.config = pluginConfig{at: block.DefRange, eval: eval, sources: r.sources, places: map[string]hcl.Range{}}
	for name, attribute := range content.Attributes {
		p.config.places[name] = attribute.Range
	}
	for _, inner := range content.Blocks {
		if _, twice := p.config.places[inner.Type]; twice {
			diags = append(diags, mistake(inner.DefRange, "Duplicate block", "A plugin has one %s block.", inner.Type))
			continue
		}
		p.config.places[inner.Type] = inner.DefRange
		if inner.Type == "cgroup" {
			diags = append(diags, p.cgroup(inner, eval)...)
			continue
		}
		p.config.body, p.config.at = inner.Body, inner.DefRange
	}
	r.settings.Plugins = append(r.settings.Plugins, p)
	return diags
}

func (r *reader) checkLabels(p Plugin, block *hcl.Block) hcl.Diagnostics {
	var diags hcl.Diagnostics
	known := false
	for _, k := range Kinds() {
		known = known || k == p.Kind
	}
	if !known {
		diags = append(diags, mistake(block.LabelRanges[0], "Unknown kind of plugin", "%s",
			sentence(fmt.Errorf("%q is not one of %s%s", p.Kind, quoted(Kinds()), Meant(p.Kind, Kinds())))))
	}
	if !namePattern.MatchString(p.Name) {
		diags = append(diags, mistake(block.LabelRanges[1], "Invalid plugin name",
			"%q must be at most 63 lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit.", p.Name))
	}
	if others := r.settings.Of(p.Kind); single[p.Kind] && len(others) > 0 {
		diags = append(diags, mistake(block.DefRange, "Too many plugins", "There can be one %s, and %q is one already.", p.Kind, others[0].Name))
	}
	return diags
}

// Path is where the plugin's program is: its binary, or KIND-NAME in the given folder.
func (p Plugin) Path(pluginDir string) string {
	if p.Binary != "" {
		return p.Binary
	}
	return filepath.Join(pluginDir, p.Kind+"-"+p.Name)
}

// String is how errors and logs name the plugin: `allocator "drf"`.
func (p Plugin) String() string { return fmt.Sprintf("%s %q", p.Kind, p.Name) }
