package config

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Load reads a file, or every *.hcl file of a folder in the order of their names. The error is an *[Error]
// when the configuration is wrong, and something else when it cannot be read. Checksums that plugin blocks do not give
// come from the lock file beside it, see [Lock].
func Load(path string) (*Settings, error) {
	s, err := LoadUnlocked(path)
	if err != nil {
		return nil, err
	}
	if err := s.pin(path); err != nil {
		return nil, err
	}
	return s, nil
}

// LoadUnlocked is Load without the lock file: for writing it anew.
func LoadUnlocked(path string) (*Settings, error) {
	files, err := filesAt(path)
	if err != nil {
		return nil, err
	}
	r := &reader{settings: &Settings{Files: files, Log: Log{Level: "info", Format: "text"}}, sources: map[string][]byte{}}
	for _, file := range files {
		source, err := readText(file)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		r.read(file, source)
	}
	r.finish()
	if err := newError(r.diags, r.sources); err != nil {
		return nil, err
	}
	return r.settings, nil
}

func filesAt(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.hcl"))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("read the configuration: the folder %s has no *.hcl file", path)
	}
	sort.Strings(files)
	return files, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// reader gathers settings and mistakes over the files.
type reader struct {
	settings *Settings
	sources  map[string][]byte
	diags    hcl.Diagnostics
	// seen is where each block that may stand only once was first written.
	seen map[string]hcl.Range
}

var fileSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "master"}, {Type: "agent"}, {Type: "log"}, {Type: "plugin", LabelNames: []string{"kind", "name"}},
}}

func (r *reader) read(file string, source []byte) {
	r.sources[file] = source
	parsed, diags := hclsyntax.ParseConfig(source, file, hcl.InitialPos)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() {
		return
	}
	content, diags := parsed.Body.Content(fileSchema)
	r.diags = append(r.diags, diags...)
	eval := evalContext(filepath.Dir(file))
	for _, block := range content.Blocks {
		r.block(block, eval)
	}
}

func (r *reader) block(block *hcl.Block, eval *hcl.EvalContext) {
	var diags hcl.Diagnostics
	s := r.settings
	switch block.Type {
	case "master":
		if r.once("master", block) {
			s.Master, diags = decodeMaster(block, eval, r.sources)
		}
	case "agent":
		if r.once("agent", block) {
			s.Agent, diags = decodeAgent(block, eval, r.sources)
		}
	case "log":
		if r.once("log", block) {
			_, diags = decode(block.Body, eval, []field{
				oneOf("level", &s.Log.Level, "debug", "info", "warn", "error"),
				oneOf("format", &s.Log.Format, "text", "json"),
			})
		}
	case "plugin":
		if r.once(fmt.Sprintf("plugin %q %q", block.Labels[0], block.Labels[1]), block) {
			diags = r.plugin(block, eval)
		}
	}
	r.diags = append(r.diags, diags...)
}

// once reports a second block of the same name.
func (r *reader) once(name string, block *hcl.Block) bool {
	if r.seen == nil {
		r.seen = map[string]hcl.Range{}
	}
	if first, ok := r.seen[name]; ok {
		r.diags = append(r.diags, mistake(block.DefRange, "Duplicate block", "%s stands at %s:%d already.",
			name, first.Filename, first.Start.Line))
		return false
	}
	r.seen[name] = block.DefRange
	return true
}

// finish looks at the configuration as a whole.
func (r *reader) finish() {
	s := r.settings
	if r.diags.HasErrors() {
		return
	}
	if s.Master == nil && s.Agent == nil {
		at := hcl.Range{Filename: s.Files[0]}
		r.diags = append(r.diags, mistake(at, "Nothing to run", "There is neither a master nor an agent block in it."))
		return
	}
	if s.Master != nil && len(s.Of("allocator")) == 0 {
		r.diags = append(r.diags, mistake(r.seen["master"], "Missing plugin",
			"A master needs an allocator. Add a block such as plugin \"allocator\" \"drf\" {}."))
	}
	if m, a := s.Master, s.Agent; m != nil && a != nil && m.PluginDir != a.PluginDir {
		r.diags = append(r.diags, mistake(r.seen["agent"], "Two folders of plugins",
			"The master's plugin_dir is %q and the agent's %q. In one configuration they have to be the same; a plugin that is elsewhere has a binary in its block.",
			m.PluginDir, a.PluginDir))
	}
	if a := s.Agent; a != nil && len(a.Masters) == 0 {
		if s.Master == nil {
			r.diags = append(r.diags, mistake(r.seen["agent"], "Missing attribute",
				"masters is needed: the host:port addresses of the masters' agent listeners."))
			return
		}
		a.Masters = []string{s.Master.AgentListen}
	}
	s.Warnings = append(s.Warnings, s.openWarnings()...)
}
