package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// rows is what a command prints: a table for people, or the same values as JSON.
type rows struct {
	header []string
	cells  [][]string
	// empty is said in place of a table without rows.
	empty string
	// value is what is printed as JSON.
	value any
}

// print writes the rows in the form that --output asks for.
func (o *options) print(w io.Writer, r rows) error {
	if o.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r.value)
	}
	if len(r.cells) == 0 {
		_, err := fmt.Fprintln(w, r.empty)
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.Options{SeparateColumns: false}
	t.Style().Box.PaddingLeft, t.Style().Box.PaddingRight = "", "  "
	t.Style().Format.Header = text.FormatUpper
	t.AppendHeader(row(r.header))
	for _, c := range r.cells {
		t.AppendRow(row(c))
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func row(cells []string) table.Row {
	out := make(table.Row, len(cells))
	for i, c := range cells {
		out[i] = c
	}
	return out
}

// amount prints a scalar without needless zeros.
func amount(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// firstLine is what of a text fits into a table.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// ago prints how long ago something was, coarsely.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := time.Since(t)
	switch {
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s ago"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h ago"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d ago"
}
