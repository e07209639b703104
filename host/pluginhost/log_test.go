//go:build unix

package pluginhost

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"@level":"warn","@message":"low","@timestamp":"2026","left":3,"a":"b"}`: `{"level":"WARN","msg":"low","a":"b","left":3}`,
		`{"@level":"trace","@message":"x"}`:                                       `{"level":"DEBUG","msg":"x"}`,
		`{"@level":"warning","@message":"x"}`:                                     `{"level":"WARN","msg":"x"}`,
		`{"@level":"CRITICAL","@message":"x"}`:                                    `{"level":"ERROR","msg":"x"}`,
		`{"@level":"unheard of","@message":"x"}`:                                  `{"level":"INFO","msg":"x"}`,
		`{"no":"message"}`:                                                        `{"level":"INFO","msg":"{\"no\":\"message\"}"}`,
		`{broken`:                                                                 `{"level":"INFO","msg":"{broken"}`,
		`words`:                                                                   `{"level":"INFO","msg":"words"}`,
		"panic: at the disco":                                                     `{"level":"ERROR","msg":"panic: at the disco"}`,
		"\xff\xfe":                                                                `{"level":"INFO","msg":"�"}`,
		`{"@level":"info","@message":""}`:                                         `{"level":"INFO","msg":""}`,
		``:                                                                        ``,
		"  \t":                                                                    ``,
	} {
		var b bytes.Buffer
		o := newOutput(slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})))
		_, _ = o.stderr().Write([]byte(line + "\n"))
		if got := strings.TrimSuffix(b.String(), "\n"); got != want {
			t.Errorf("%q gives\n%s, want\n%s", line, got, want)
		}
	}
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// TestPanicTrace: once a panic has begun, the lines that follow are its trace.
func TestPanicTrace(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := newOutput(slog.New(slog.NewJSONHandler(&b, nil)))
	_, _ = o.stderr().Write([]byte("before\npanic: x\n\ngoroutine 1 [running]:\n"))
	if n := strings.Count(b.String(), `"ERROR"`); n != 2 {
		t.Errorf("%d lines are errors:\n%s", n, &b)
	}
	if got := o.said(); got != "; it printed:\n  before\n  panic: x\n  goroutine 1 [running]:" {
		t.Errorf("said %q", got)
	}
}

// TestPythonTrace: an exception's trace is an error up to the exception, and what follows it is not.
func TestPythonTrace(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := newOutput(slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelError})))
	_, _ = o.stderr().Write([]byte("before\nTraceback (most recent call last):\n  File \"x.py\", line 1\n    import y\nModuleNotFoundError: No module named 'y'\nafter\n"))
	if n := strings.Count(b.String(), "\n"); n != 4 || strings.Contains(b.String(), "after") || !strings.Contains(b.String(), "No module named") {
		t.Errorf("%d lines are errors:\n%s", n, &b)
	}
}

// TestTooMuchOutput: what is beyond the limit is counted, and the count is logged when there is room again.
func TestTooMuchOutput(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := newOutput(slog.New(slog.NewJSONHandler(&b, nil)))
	o.limit.SetLimit(0)
	o.limit.SetBurst(10)
	w := o.stderr()
	for range 100 {
		_, _ = w.Write([]byte("line\n"))
	}
	if n := strings.Count(b.String(), "\n"); n != 10 {
		t.Errorf("%d lines", n)
	}
	o.limit.SetLimit(1e9)
	b.Reset()
	time.Sleep(time.Millisecond) // the limiter's clock moves on
	_, _ = w.Write([]byte("more\n"))
	var first struct {
		Lines int `json:"lines"`
	}
	if err := json.Unmarshal([]byte(strings.SplitN(b.String(), "\n", 2)[0]), &first); err != nil || first.Lines != 90 {
		t.Errorf("%v; logged\n%s", err, &b)
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var m metrics
	for i := range 1000 {
		m.observe("/mezzo.x.v1.X/Call", time.Duration(i+1)*time.Millisecond, codes.OK)
	}
	m.observe("/mezzo.x.v1.X/Call", time.Hour, codes.Internal)
	rpcs, bugs := m.rpcs()
	if len(rpcs) != 1 || bugs != 1 || rpcs[0].Method != "Call" || rpcs[0].Count != 1001 || rpcs[0].Errors != 1 {
		t.Fatalf("%+v, %d bugs", rpcs, bugs)
	}
	for _, q := range []struct{ got, exact time.Duration }{{rpcs[0].P50, 500 * time.Millisecond}, {rpcs[0].P90, 900 * time.Millisecond}, {rpcs[0].P99, 990 * time.Millisecond}} {
		if q.got < q.exact || q.got > q.exact*6/5 {
			t.Errorf("%v for %v", q.got, q.exact)
		}
	}
}
