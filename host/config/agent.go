package config

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

func (a *Agent) fields() []field {
	return []field{
		address("listen", &a.Listen),
		address("advertise", &a.Advertise),
		addresses("masters", &a.Masters),
		text("hostname", &a.Hostname),
		path("work_dir", &a.WorkDir).must(),
		path("runtime_dir", &a.RuntimeDir),
		path("plugin_dir", &a.PluginDir),
		boolean("insecure", &a.Insecure),
		text("resources", &a.Resources).and(func() error {
			_, err := resource.Parse(a.Resources, "*")
			return example(err, `"cpus:4;mem:4096;disk:10000;ports:[31000-32000]"`)
		}),
		attributes("attributes", &a.Attributes).and(func() error {
			_, err := resource.ParseAttributes(a.Attributes)
			return example(err, `{ rack = "r7" }`)
		}),
		text("default_role", &a.DefaultRole).and(func() error {
			_, err := resource.Parse("cpus:1", a.DefaultRole)
			return example(err, `"eng/web"`)
		}),
		textMap("executor_environment_variables", &a.ExecutorEnvironmentVariables),
		duration("executor_shutdown_grace_period", &a.ExecutorShutdownGracePeriod),
		duration("executor_reregistration_timeout", &a.ExecutorReregistrationTimeout).between(&a.ExecutorReregistrationTimeout, 0, 15*time.Second),
		duration("recovery_timeout", &a.RecoveryTimeout),
		duration("launch_timeout", &a.LaunchTimeout).positive(&a.LaunchTimeout),
		boolean("strict", &a.Strict),
		oneOf("reconfiguration_policy", &a.ReconfigurationPolicy, "equal", "additive"),
		boolean("switch_user", &a.SwitchUser),
		oneOf("launcher", &a.Launcher, "linux", "posix"),
		text("frameworks_home", &a.FrameworksHome),
		duration("fetcher_stall_timeout", &a.FetcherStallTimeout).positive(&a.FetcherStallTimeout),
		duration("gc_delay", &a.GCDelay),
	}
}

func decodeAgent(block *hcl.Block, eval *hcl.EvalContext, sources map[string][]byte) (*Agent, hcl.Diagnostics) {
	a := newAgent()
	content, diags := decode(block.Body, eval, a.fields(), securityBlocks()...)
	bad := decodeSecurity(content, eval, sources, &a.TLS, &a.Authentication)
	diags = append(diags, bad...)
	if diags.HasErrors() {
		return a, diags
	}
	diags = append(diags, a.checkListeners(content, block)...)
	return a, diags
}

// example adds to an error what would have been right.
func example(err error, right string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; write something such as %s", err, right)
}

// attributes accepts Mesos's text ("rack:r7;level:10") and a map ({ rack = "r7" }), whose entries are
// put in the order of their names, since a map has none of its own.
func attributes(name string, to *string) field {
	return field{name: name, set: func(v cty.Value) error {
		if v.Type() == cty.String {
			*to = v.AsString()
			return nil
		}
		var m map[string]string
		if err := textMap(name, &m).set(v); err != nil {
			return fmt.Errorf("a map of strings, or text such as \"rack:r7;level:10\", is needed, not %s", v.Type().FriendlyName())
		}
		entries := make([]string, 0, len(m))
		for key, value := range m {
			if key == "" || strings.ContainsAny(key, ":;") || value == "" || strings.Contains(value, ";") {
				return fmt.Errorf("the attribute %q = %q is empty or contains \";\" or \":\"", key, value)
			}
			entries = append(entries, key+":"+value)
		}
		sort.Strings(entries)
		*to = strings.Join(entries, ";")
		return nil
	}}
}
