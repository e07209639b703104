package daemon

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/mezzo-cluster/mezzo/host/api/metrics"
	"github.com/mezzo-cluster/mezzo/host/pluginhost"
	"github.com/mezzo-cluster/mezzo/host/pluginhost/supervise"
)

// pluginCollector shows plugins to Prometheus.
type pluginCollector struct {
	host                                *pluginhost.Host
	up, restarts, memory, bugs, calls   *prometheus.Desc
	callErrors, callSeconds, callLatest *prometheus.Desc
}

func newPluginCollector(h *pluginhost.Host) *pluginCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mezzo_plugin_"+name, help, append([]string{"kind", "plugin"}, labels...), nil)
	}
	return &pluginCollector{
		host:        h,
		up:          desc("up", "1 if the plugin is ready, 0 otherwise."),
		restarts:    desc("restarts_total", "How often the plugin's process has been started again."),
		memory:      desc("resident_memory_bytes", "Resident memory of the plugin's process."),
		bugs:        desc("contract_violations_total", "Answers of the plugin that break its contract."),
		calls:       desc("calls_total", "Calls to the plugin, by method.", "method"),
		callErrors:  desc("call_errors_total", "Calls to the plugin that failed, by method.", "method"),
		callSeconds: desc("call_seconds_total", "Time spent in calls to the plugin, by method.", "method"),
		callLatest:  desc("call_seconds", "How long calls to the plugin take, by method and quantile.", "method", "quantile"),
	}
}

// Describe sends nothing: which plugins there are is known when they are collected only.
func (c *pluginCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics as they are now.
func (c *pluginCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.host.List() {
		up := 0.0
		if p.State == supervise.Ready {
			up = 1
		}
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{p.Kind, p.Name}, labels...)...)
		}
		count := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{p.Kind, p.Name}, labels...)...)
		}
		gauge(c.up, up)
		count(c.restarts, float64(p.Restarts))
		gauge(c.memory, float64(p.Memory))
		count(c.bugs, float64(p.Bugs))
		for _, r := range p.RPCs {
			count(c.calls, float64(r.Count), r.Method)
			count(c.callErrors, float64(r.Errors), r.Method)
			count(c.callSeconds, r.Total.Seconds(), r.Method)
			gauge(c.callLatest, r.P50.Seconds(), r.Method, "0.5")
			gauge(c.callLatest, r.P99.Seconds(), r.Method, "0.99")
		}
	}
}

// prometheusRegistry holds what is measured in the daemon besides what Mesos has names for.
func prometheusRegistry(h *pluginhost.Host, web *metrics.HTTP) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newPluginCollector(h), web)
	return r
}
