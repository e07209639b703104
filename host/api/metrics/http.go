package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// HTTP counts requests and measures how long they take. Streams are counted when they end.
type HTTP struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	open     prometheus.Gauge
}

// NewHTTP returns the metrics of a daemon's HTTP listener.
func NewHTTP() *HTTP {
	return &HTTP{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mezzo_http_requests_total", Help: "HTTP requests answered, by method and status.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mezzo_http_request_seconds", Help: "How long answering took, event streams aside.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, []string{"method"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mezzo_http_requests_open", Help: "Requests being answered, event streams among them.",
		}),
	}
}

// Describe describes the metrics.
func (h *HTTP) Describe(ch chan<- *prometheus.Desc) {
	h.requests.Describe(ch)
	h.seconds.Describe(ch)
	h.open.Describe(ch)
}

// Collect collects the metrics.
func (h *HTTP) Collect(ch chan<- prometheus.Metric) {
	h.requests.Collect(ch)
	h.seconds.Collect(ch)
	h.open.Collect(ch)
}

// Wrap measures a handler.
func (h *HTTP) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.open.Inc()
		begin := time.Now()
		record := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			h.open.Dec()
			method := known(r.Method)
			h.requests.WithLabelValues(method, strconv.Itoa(record.status)).Inc()
			if !record.flushed {
				h.seconds.WithLabelValues(method).Observe(time.Since(begin).Seconds())
			}
		}()
		next.ServeHTTP(record, r)
	})
}

// Handler shows everything that was registered to Prometheus.
func Handler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// known keeps methods of a client's invention out of the labels.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// recorder remembers an answer's status, and whether it was a stream.
type recorder struct {
	http.ResponseWriter
	status  int
	flushed bool
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// FlushError marks the answer as a stream.
func (r *recorder) FlushError() error {
	r.flushed = true
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
