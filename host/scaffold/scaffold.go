// Package scaffold writes the skeleton of a vendor's plugin: a Go module of its own that compiles, passes the
// conformance kit and does something small. What it writes is in templates/.
//
// It knows nothing of the rest of the host, and only host/cmd/mezzo imports it.
package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/mod/module"
)

// Options say which plugin to write, and where.
type Options struct {
	// Kind is one of Kinds.
	Kind string
	// Name is the plugin's name; its program is KIND-NAME.
	Name string
	// Dir is the folder to write, which does not exist or is empty. Empty means KIND-NAME, here.
	Dir string
	// Module is the path of the Go module. Empty means example.com/KIND-NAME.
	Module string
	// SDK is a folder that holds the SDK's source, to be used rather than a released one. Empty means the release of
	// Version.
	SDK string
	// Version is this build's own: a release's ("v0.3.0"), or anything else for a build that is none.
	Version string
}

// Plugin is a skeleton that was written.
type Plugin struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Program is KIND-NAME, the name that the host looks for in its plugin_dir.
	Program string `json:"program"`
	// Dir is the folder as it was asked for, and Files what is in it.
	Dir    string   `json:"dir"`
	Files  []string `json:"files"`
	Module string   `json:"module"`
	// Local says that the SDK is that of a checkout, so that nothing has to be fetched.
	Local bool `json:"local_sdk"`
}

// example is what the skeleton of a kind is about.
type example struct {
	doc string
	// config is a config block as JSON, and bad one that passes the schema and is wrong all the same, if there is any.
	config, bad string
}

var examples = map[string]example{
	"allocator":  {"Offers all that is free, the fullest or the emptiest agents first.", `{"first":"emptiest"}`, ""},
	"authorizer": {"Lets the principals of a list do everything, and others nothing.", `{"principals":["ops"]}`, ""},
	"isolator":   {"Gives every container the same environment variables.", `{"env":{"SITE":"berlin"}}`, `{"env":{"A=B":"x"}}`},
}

// Kinds are the kinds that there is a skeleton of.
func Kinds() []string { return slices.Sorted(maps.Keys(examples)) }

// New writes a plugin's skeleton. On error nothing is left of it.
func New(o Options) (*Plugin, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	program := o.Kind + "-" + o.Name
	p := &Plugin{Kind: o.Kind, Name: o.Name, Program: program, Dir: o.Dir, Module: o.Module, Local: o.SDK != ""}
	files, err := o.modules()
	if err != nil {
		return nil, err
	}
	if err := p.render(files); err != nil {
		return nil, err
	}
	if err := write(o.Dir, files); err != nil {
		return nil, fmt.Errorf("write %s: %w", o.Dir, err)
	}
	p.Files = slices.Sorted(maps.Keys(files))
	return p, nil
}

// complete checks the options and fills in what is left out.
func (o *Options) complete() error {
	if _, ok := examples[o.Kind]; !ok {
		return fmt.Errorf("there is no skeleton of kind %q; the kinds are %s", o.Kind, strings.Join(Kinds(), ", "))
	}
	if err := checkName(o.Kind, o.Name); err != nil {
		return err
	}
	if o.Dir == "" {
		o.Dir = o.Kind + "-" + o.Name
	}
	o.Dir = filepath.Clean(o.Dir)
	if o.Module == "" {
		o.Module = "example.com/" + o.Kind + "-" + o.Name
	}
	if err := module.CheckImportPath(o.Module); err != nil {
		return fmt.Errorf("--module is a module's path, such as example.com/%s-%s: %w", o.Kind, o.Name, err)
	}
	return nil
}

// maxName is what a configuration takes as a plugin's name.
const maxName = 63

func checkName(kind, name string) error {
	if rest, found := strings.CutPrefix(name, kind+"-"); found && rest != "" {
		return fmt.Errorf("%q begins with the plugin's kind, which its program has before its name anyway: call it %q", name, rest)
	}
	fits := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("-_. ", r):
			return '-'
		default:
			return -1
		}
	}, name)
	fits = strings.Join(strings.FieldsFunc(fits, func(r rune) bool { return r == '-' }), "-")
	if name == fits && name != "" && len(name) <= maxName {
		return nil
	}
	meant := ""
	if fits != "" && fits != name && len(fits) <= maxName {
		meant = fmt.Sprintf("; did you mean %q?", fits)
	}
	return fmt.Errorf("a plugin's name is at most %d lower-case letters and digits, with single dashes between them, and not %q%s", maxName, name, meant)
}

//go:embed templates
var templates embed.FS

// render adds the files that are made of templates: those of every kind, and those of this one.
func (p *Plugin) render(files map[string][]byte) error {
	kind := examples[p.Kind]
	data := struct {
		*Plugin
		Doc, Config, BadConfig string
	}{p, kind.doc, kind.config, kind.bad}
	for _, dir := range []string{"templates/all", "templates/" + p.Kind} {
		found, err := fs.Glob(templates, dir+"/*.tmpl")
		if err != nil {
			return err
		}
		for _, name := range found {
			t, err := template.ParseFS(templates, name)
			if err != nil {
				return fmt.Errorf("read the template %s: %w", name, err)
			}
			var text bytes.Buffer
			if err := t.Execute(&text, data); err != nil {
				return fmt.Errorf("fill in the template %s: %w", name, err)
			}
			out := strings.TrimSuffix(path.Base(name), ".tmpl")
			if out == "gitignore" { // as itself it would be heeded here
				out = ".gitignore"
			}
			files[out] = text.Bytes()
		}
	}
	return nil
}
