package opa

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
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
	// ambiguous is what may give allow two values, which is an error where it happens; nil where nothing may.
	ambiguous error
	store     storage.Store
	// decide binds allow, deny and reason for one object.
	decide rego.PreparedEvalQuery
	// filter is allow, and no deny, with the object unknown.
	filter rego.PreparedPartialQuery
}

// load reads and compiles the policies and data below some paths.
func load(ctx context.Context, paths []string, entry string, now time.Time) (*policy, error) {
	revision, err := fingerprint(paths)
	if err != nil {
		return nil, err
	}
	files, err := read(paths, ignored)
	if err != nil {
		return nil, err
	}
	modules := files.ParsedModules()
	if err := checkEntry(modules, entry); err != nil {
		return nil, err
	}
	warnings := misnamed(modules)
	compiler, filtering := ast.NewCompiler(), filterCompiler()
	if modules[verdictFile], err = verdict(entry); err != nil {
		return nil, err
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("compile policies: %w", compiler.Errors)
	}
	if filtering.Compile(modules); filtering.Failed() {
		return nil, fmt.Errorf("compile policies for filtering: %w", filtering.Errors)
	}
	store, err := files.Store()
	if err != nil {
		return nil, fmt.Errorf("read policy data: %w", err)
	}
	p := &policy{revision: revision, loaded: now, entry: entry, store: store, steady: len(unsteady(modules)) == 0, warnings: warnings, ambiguous: ambiguous(modules, entry)}
	return p, p.prepare(ctx, compiler, filtering)
}

// prepare makes the policy ready for questions.
func (p *policy) prepare(ctx context.Context, compiler, filtering *ast.Compiler) (err error) {
	allow, deny, reason := "data."+p.entry+".allow", "data."+p.entry+".deny", "data."+p.entry+".reason"
	query := fmt.Sprintf("allow = [x | x := %s]; deny = [x | some x in %s]; reason = [x | some x in %s]", allow, deny, reason)
	if p.decide, err = rego.New(rego.Compiler(compiler), rego.Store(p.store), rego.Query(query)).PrepareForEval(ctx); err != nil {
		return fmt.Errorf("prepare policies: %w", err)
	}
	partial := []func(*rego.Rego){
		rego.Compiler(filtering), rego.Store(p.store), definedFunction(),
		rego.Query("data." + verdictPackage + ".permitted = true"), rego.Unknowns([]string{"input.object"}),
	}
	if p.filter, err = rego.New(partial...).PrepareForPartial(ctx); err != nil {
		return fmt.Errorf("prepare policies for filtering: %w", err)
	}
	return nil
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
		return noEntry(modules, entry)
	}
	for _, name := range []string{"deny", "reason"} {
		for _, r := range rules(modules, entry, name) {
			if r.Head.Key == nil {
				return &mistake{r.Location, "entry_point", fmt.Sprintf("rule `%s` is a set of texts: write `%s contains \"why\" if …`", name, name)}
			}
		}
	}
	return nil
}

// noEntry says that there is no rule `allow`, at the file that may have been meant to hold it.
func noEntry(modules map[string]*ast.Module, entry string) error {
	m := &mistake{code: "entry_point", text: fmt.Sprintf(
		"the policies define no rule `allow` in package %s; begin with `package %s` and `default allow := false`", entry, entry)}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		pkg := modules[name].Package
		path := strings.TrimPrefix(pkg.Path.String(), "data.")
		switch {
		case path == entry && m.at == nil:
			m.at = pkg.Location
		case path != entry && len(rules(modules, path, "allow")) > 0:
			m.at = pkg.Location
			m.text += fmt.Sprintf(", or set package = %q in the plugin's config block", path)
			return m
		}
	}
	return m
}

// mistake is something wrong with policies that OPA takes.
type mistake struct {
	at   *ast.Location // nil when it is in no one place
	code string
	text string
}

// Error gives the place and the text.
func (m *mistake) Error() string {
	if m.at == nil {
		return m.text
	}
	return fmt.Sprintf("%s: %s", m.at, m.text)
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

// ambiguous is the place of a rule that may give allow another value than true while another one gives true: OPA refuses
// to answer then, and partial evaluation does not tell.
func ambiguous(modules map[string]*ast.Module, entry string) error {
	allows := slices.DeleteFunc(rules(modules, entry, "allow"), func(r *ast.Rule) bool { return r.Default })
	if len(allows) < 2 {
		return nil
	}
	for _, r := range allows {
		for ; r != nil; r = r.Else {
			if !r.Head.Value.Equal(ast.BooleanTerm(true)) {
				return &misfit{at: r.Location, why: "this rule may contradict another one of its name: write `deny contains \"why\" if …` for what is refused", expr: r.Head}
			}
		}
	}
	return nil
}

// unsteady are the places where modules call what gives another result by itself: the time, a remote service, a
// random number.
func unsteady(modules map[string]*ast.Module) []*ast.Term {
	var out []*ast.Term
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if ref, ok := t.Value.(ast.Ref); ok {
				if b, ok := ast.BuiltinMap[ref.String()]; ok && b.Nondeterministic {
					out = append(out, t)
				}
			}
			return false
		})
	}
	return out
}
