package pluginhost

import (
	"math"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// metrics counts the calls to one plugin over all its processes.
type metrics struct {
	mu      sync.Mutex
	methods map[string]*methodMetrics
	bugs    uint64
}

type methodMetrics struct {
	count   uint64
	errors  uint64
	total   time.Duration
	buckets [bucketCount]uint64
}

// Latencies fall into buckets whose bounds grow by a quarter of a power of two from a microsecond, so that
// a quantile is known within a fifth, up to a quarter of an hour.
const (
	bucketsPerDouble = 4
	bucketCount      = 30 * bucketsPerDouble
)

func bucketOf(d time.Duration) int {
	if d <= time.Microsecond {
		return 0
	}
	i := int(math.Ceil(math.Log2(float64(d)/float64(time.Microsecond)) * bucketsPerDouble))
	return min(i, bucketCount-1)
}

func bucketBound(i int) time.Duration {
	return time.Duration(float64(time.Microsecond) * math.Exp2(float64(i)/bucketsPerDouble))
}

// observe counts one call. Codes that no contract knows are plugin bugs.
func (m *metrics) observe(method string, took time.Duration, code codes.Code) {
	if i := strings.LastIndexByte(method, '/'); i >= 0 {
		method = method[i+1:]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.methods == nil {
		m.methods = map[string]*methodMetrics{}
	}
	of := m.methods[method]
	if of == nil {
		of = &methodMetrics{}
		m.methods[method] = of
	}
	of.count++
	of.total += took
	of.buckets[bucketOf(took)]++
	if code != codes.OK {
		of.errors++
	}
	if isBug(code) {
		m.bugs++
	}
}

func (m *metrics) bug() {
	m.mu.Lock()
	m.bugs++
	m.mu.Unlock()
}

// RPC is what was measured of one method of a plugin.
type RPC struct {
	Method string `json:"method"`
	Count  uint64 `json:"count"`
	Errors uint64 `json:"errors"`
	// Total is the time spent in all calls; the quantiles are upper bounds, within a fifth.
	Total time.Duration `json:"total"`
	P50   time.Duration `json:"p50"`
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
}

// rpcs returns the measurements by method, and the number of plugin bugs.
func (m *metrics) rpcs() ([]RPC, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]RPC, 0, len(m.methods))
	for name, of := range m.methods {
		out = append(out, RPC{
			Method: name, Count: of.count, Errors: of.errors, Total: of.total,
			P50: of.quantile(0.5), P90: of.quantile(0.9), P99: of.quantile(0.99),
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Method < out[j].Method })
	return out, m.bugs
}

func (m *methodMetrics) quantile(q float64) time.Duration {
	want := uint64(math.Ceil(q * float64(m.count)))
	var seen uint64
	for i, n := range m.buckets {
		seen += n
		if seen >= want && n > 0 {
			return bucketBound(i)
		}
	}
	return 0
}

// isBug says whether a code is one that no contract allows a plugin to answer with.
func isBug(code codes.Code) bool {
	switch code {
	case codes.OK, codes.Canceled, codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound, codes.Unavailable,
		codes.DeadlineExceeded, codes.Aborted, codes.ResourceExhausted, codes.Unimplemented:
		return false
	default:
		return true
	}
}
