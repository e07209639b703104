package plugintest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every check says what the contract says, and names a page and a heading that are there.
func TestReadOn(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for _, page := range []string{"docs/vendors/wire.md", "docs/vendors/README.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
			anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(h[1]), "")
			headings[page+"#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	for _, kind := range []string{"allocator", "authorizer", "isolator"} {
		checks, err := checksOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if !strings.HasSuffix(c.says, ".") || !headings[c.read] {
				t.Errorf("%s, %q: the contract %q, on %s", kind, c.name, c.says, c.read)
			}
		}
	}
}
