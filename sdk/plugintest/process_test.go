package plugintest

import (
	"strings"
	"testing"
)

// What a plugin says of its panic is at the beginning of a long line, and other lines may follow.
func TestShownOutputHasWhereItPanicked(t *testing.T) {
	t.Parallel()
	o := &output{}
	for range 1000 {
		_, _ = o.Write([]byte("nothing of interest\n"))
	}
	_, _ = o.Write([]byte(`{"panic":"boom","stack":"main.New\n\t/main.go:67` + strings.Repeat(" and so on", 500) + "\"}\nending\n"))
	text := o.text()
	if !strings.Contains(text, "/main.go:67") || !strings.HasSuffix(text, "…\nending") || len(text) > 2*shownOutput {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
