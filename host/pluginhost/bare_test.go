//go:build unix

package pluginhost

import (
	"strings"
	"testing"
	"time"
)

// TestBare runs a plugin that knows nothing of go-plugin but its first line: it serves neither health nor
// Shutdown, and does no TLS.
func TestBare(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"bare", "certified"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			s := spec(t, "authorizer", mode)
			s.Plain = true
			p := f.start(s)
			if revision, err := authorize(t.Context(), p, "alice"); err != nil || revision != "1" {
				t.Errorf("%q, %v", revision, err)
			}
			i, _ := p.situation()
			if err := i.healthy(t.Context(), 10*time.Second); err != nil {
				t.Errorf("it is not healthy: %v", err)
			}
			began := time.Now()
			f.Stop()
			if took := time.Since(began); took >= f.options.StopTimeout {
				t.Errorf("it took %v to end, and should be told by SIGTERM at once that it is to", took)
			}
		})
	}
}

// TestNoTLS: of a plugin that does no TLS, and was not said to, the error says what to do.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := spec(t, "authorizer", "bare")
	err := f.Start(t.Context(), []Spec{s}, Strict)
	if err == nil || !strings.Contains(err.Error(), `say tls = "off" in its block`) || !strings.Contains(err.Error(), s.Binary) {
		t.Errorf("got %v", err)
	}
}
