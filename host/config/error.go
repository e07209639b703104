package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostic is one mistake and its place.
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0 when the mistake is the file's as a whole
	Column  int    `json:"column"` // from 1, in characters
	Summary string `json:"summary"`
	Detail  string `json:"detail"`
	// Source is the line as written; empty where it holds something sensitive.
	Source string `json:"source,omitempty"`
	// Width is the number of characters to underline, at least 1.
	Width int `json:"-"`
}

// Error is every mistake found in a configuration.
type Error struct {
	diagnostics []Diagnostic
}

// Diagnostics returns the mistakes in the order of the files.
func (e *Error) Diagnostics() []Diagnostic { return e.diagnostics }

// Error gives each mistake with its source line, as it is meant to be shown to people.
func (e *Error) Error() string {
	var b strings.Builder
	for i, d := range e.diagnostics {
		if i > 0 {
			b.WriteString("\n\n")
		}
		d.write(&b)
	}
	return b.String()
}

// String gives the mistake with its source line, as it is meant to be shown to people.
func (d Diagnostic) String() string {
	var b strings.Builder
	d.write(&b)
	return b.String()
}

func (d Diagnostic) write(b *strings.Builder) {
	switch {
	case d.Line > 0:
		fmt.Fprintf(b, "%s:%d:%d: ", d.File, d.Line, d.Column)
	case d.File != "":
		fmt.Fprintf(b, "%s: ", d.File)
	}
	b.WriteString(d.Summary)
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	if d.Source == "" {
		return
	}
	number := fmt.Sprintf("%4d", d.Line)
	fmt.Fprintf(b, "\n%s | %s\n", number, d.Source)
	fmt.Fprintf(b, "%s | %s%s", strings.Repeat(" ", len(number)), indent(d.Source, d.Column), strings.Repeat("^", d.Width))
}

// indent gives white space as wide as what stands before the column: tabs stay tabs, so the mark stands right.
func indent(line string, column int) string {
	var b strings.Builder
	n := 1
	for _, r := range line {
		if n >= column {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
		n++
	}
	return b.String()
}

// newError turns HCL's diagnostics into an error, or nil when none of them is one.
func newError(diags hcl.Diagnostics, sources map[string][]byte) error {
	return newMaskedError(diags, sources, nil)
}

// newMaskedError is newError, without the source lines that touch a sensitive range.
func newMaskedError(diags hcl.Diagnostics, sources map[string][]byte, sensitive []hcl.Range) error {
	e := &Error{}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		out := Diagnostic{Summary: d.Summary, Detail: d.Detail, Width: 1}
		if d.Subject != nil {
			place(&out, *d.Subject, sources)
			for _, r := range sensitive {
				if r.Filename == d.Subject.Filename && r.Start.Line <= d.Subject.Start.Line && d.Subject.Start.Line <= r.End.Line {
					out.Source = ""
				}
			}
		}
		e.diagnostics = append(e.diagnostics, out)
	}
	if len(e.diagnostics) == 0 {
		return nil
	}
	slices.SortStableFunc(e.diagnostics, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}

// maxExcerpt is how much of a source line is shown, in bytes.
const maxExcerpt = 400

func place(d *Diagnostic, at hcl.Range, sources map[string][]byte) {
	d.File, d.Line, d.Column = at.Filename, at.Start.Line, at.Start.Column
	lines := strings.Split(string(sources[at.Filename]), "\n")
	if d.Line < 1 || d.Line > len(lines) {
		return
	}
	d.Source = strings.TrimRight(lines[d.Line-1], "\r")
	if len(d.Source) > maxExcerpt {
		d.Source = strings.ToValidUTF8(d.Source[:maxExcerpt], "")
	}
	switch {
	case at.End.Line == at.Start.Line:
		d.Width = max(1, at.End.Column-at.Start.Column)
	default:
		d.Width = max(1, len([]rune(d.Source))-d.Column+1)
	}
	d.Width = min(d.Width, maxExcerpt)
}

func mistake(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at}
}
