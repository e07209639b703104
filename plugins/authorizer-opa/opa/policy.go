package opa

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/rego"
)

// policy is one state of the folder, compiled.
type policy struct {
	revision string
	loaded   time.Time
	// steady is false when answers may differ from one moment to the next though nothing here has changed.
	steady bool
	entry  string
	// warnings are what its author should know of a policy that compiles.
	warnings []string
	// decide binds allow, deny and reason for one object.
	decide rego.PreparedEvalQuery
	// filter is allow, and no deny, with the object unknown.
	filter rego.PreparedPartialQuery
}

// load reads and compiles a folder, or a single file.
func load(ctx context.Context, path, entry string, now time.Time) (*policy, error) {
	revision, err := fingerprint(path)
	if err != nil {
		return nil, err
	}
	files, err := loader.NewFileLoader().Filtered([]string{path}, ignored)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	modules := files.ParsedModules()
	if len(modules) == 0 {
		return nil, fmt.Errorf("no .rego file in %s", path)
	}
	if err := checkEntry(modules, entry); err != nil {
		return nil, err
	}
	warnings := misnamed(modules)
	compiler := ast.NewCompiler()
	if modules[verdictFile], err = verdict(entry); err != nil {
		return nil, err
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("compile policies: %w", compiler.Errors)
	}
	store, err := files.Store()
	if err != nil {
		return nil, fmt.Errorf("read policy data: %w", err)
	}
	p := &policy{revision: revision, loaded: now, entry: entry, steady: isSteady(modules), warnings: warnings}
	shared := []func(*rego.Rego){rego.Compiler(compiler), rego.Store(store)}
	allow, deny, reason := "data."+entry+".allow", "data."+entry+".deny", "data."+entry+".reason"
	query := fmt.Sprintf("allow = [x | x := %s]; deny = [x | some x in %s]; reason = [x | some x in %s]", allow, deny, reason)
	if p.decide, err = rego.New(append(shared, rego.Query(query))...).PrepareForEval(ctx); err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	partial := append(shared, rego.Query("data."+verdictPackage+".permitted = true"), rego.Unknowns([]string{"input.object"}))
	if p.filter, err = rego.New(partial...).PrepareForPartial(ctx); err != nil {
		return nil, fmt.Errorf("prepare policies for filtering: %w", err)
	}
	return p, nil
}

// verdictFile and verdictPackage name the module that sums the policies' rules up for filtering.
const (
	verdictFile    = "mezzo/verdict.rego"
	verdictPackage = "mezzo_verdict"
)

func verdict(entry string) (*ast.Module, error) {
	m, err := ast.ParseModule(verdictFile, fmt.Sprintf(`package %s
permitted if {
	data.%s.allow == true
	not denied
}
denied if some _ in data.%s.deny
`, verdictPackage, entry, entry))
	if err != nil {
		return nil, fmt.Errorf("%q is no name of a package: %w", entry, err)
	}
	return m, nil
}

// checkEntry makes sure that the rules the host asks for are there and of the right form.
func checkEntry(modules map[string]*ast.Module, entry string) error {
	if len(rules(modules, entry, "allow")) == 0 {
		return fmt.Errorf("the policies define no rule `allow` in package %s; begin with `package %s` and `default allow := false`", entry, entry)
	}
	for _, name := range []string{"deny", "reason"} {
		for _, r := range rules(modules, entry, name) {
			if r.Head.Key == nil {
				return fmt.Errorf("%s: rule `%s` is a set of texts: write `%s contains \"why\" if …`", r.Location, name, name)
			}
		}
	}
	return nil
}

// rules are the rules of a name in the entry package.
func rules(modules map[string]*ast.Module, entry, name string) []*ast.Rule {
	var out []*ast.Rule
	for _, m := range modules {
		if m.Package.Path.String() != "data."+entry {
			continue
		}
		for _, r := range m.Rules {
			if r.Head.Name.String() == name || len(r.Head.Reference) > 0 && r.Head.Reference[0].Value.String() == name {
				out = append(out, r)
			}
		}
	}
	return out
}

// isSteady reports whether the modules call nothing whose result changes by itself: the time, a remote service, a
// random number.
func isSteady(modules map[string]*ast.Module) bool {
	steady := true
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if ref, ok := t.Value.(ast.Ref); ok {
				if b, ok := ast.BuiltinMap[ref.String()]; ok && b.Nondeterministic {
					steady = false
				}
			}
			return !steady
		})
	}
	return steady
}

// ignored leaves out hidden files, tests, and what is neither policy nor data.
func ignored(path string, info fs.FileInfo, _ int) bool {
	name := info.Name()
	if strings.HasPrefix(name, ".") && name != "." && name != ".." {
		return true
	}
	if info.IsDir() {
		return false
	}
	return strings.HasSuffix(name, "_test.rego") || !slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, filepath.Ext(path))
}

// fingerprint names the present content of the folder: the same after a restart, another after any change.
func fingerprint(root string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if ignored(path, info, 0) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", rel, len(data))
		sum.Write(data)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s does not exist", root)
	}
	if err != nil {
		return "", fmt.Errorf("read policies: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}
