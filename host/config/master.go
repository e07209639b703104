package config

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
)

func (m *Master) fields() []field {
	return []field{
		address("listen", &m.Listen),
		address("agent_listen", &m.AgentListen),
		address("raft_listen", &m.RaftListen),
		address("advertise", &m.Advertise),
		text("hostname", &m.Hostname),
		text("cluster", &m.Cluster),
		path("data_dir", &m.DataDir).must(),
		path("plugin_dir", &m.PluginDir),
		boolean("insecure", &m.Insecure),
		duration("agent_ping_timeout", &m.AgentPingTimeout).between(&m.AgentPingTimeout, time.Second, 15*time.Minute),
		count("max_agent_ping_timeouts", &m.MaxAgentPingTimeouts, 1),
		duration("agent_reregister_timeout", &m.AgentReregisterTimeout).positive(&m.AgentReregisterTimeout),
		duration("offer_timeout", &m.OfferTimeout),
		count("max_completed_frameworks", &m.MaxCompletedFrameworks, 0),
		count("max_completed_tasks_per_framework", &m.MaxCompletedTasksPerFramework, 0),
		count("max_unreachable_tasks_per_framework", &m.MaxUnreachableTasksPerFramework, 0),
		boolean("root_submissions", &m.RootSubmissions),
	}
}

func decodeMaster(block *hcl.Block, eval *hcl.EvalContext, sources map[string][]byte) (*Master, hcl.Diagnostics) {
	m := newMaster()
	content, diags := decode(block.Body, eval, m.fields(), securityBlocks()...)
	bad := decodeSecurity(content, eval, sources, &m.TLS, &m.Authentication)
	diags = append(diags, bad...)
	if diags.HasErrors() {
		return m, diags
	}
	diags = append(diags, m.checkListeners(content, block)...)
	return m, diags
}

func securityBlocks() []hcl.BlockHeaderSchema {
	return []hcl.BlockHeaderSchema{{Type: "tls"}, {Type: "authentication", LabelNames: []string{"scheme"}}}
}

func decodeSecurity(content *hcl.BodyContent, eval *hcl.EvalContext, sources map[string][]byte, t **TLS, a **Authentication) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, block := range content.Blocks {
		var bad hcl.Diagnostics
		switch {
		case block.Type == "tls" && *t == nil:
			*t = &TLS{where: where{block.DefRange, sources}}
			_, bad = decode(block.Body, eval, []field{
				path("cert_file", &(*t).CertFile).must(),
				path("key_file", &(*t).KeyFile).must(),
				path("ca_file", &(*t).CAFile).must(),
			})
		case block.Type == "authentication" && *a == nil:
			*a = &Authentication{Scheme: block.Labels[0], where: where{block.DefRange, sources}}
			bad = decodeAuthentication(block, eval, *a)
		default:
			bad = hcl.Diagnostics{mistake(block.DefRange, "Duplicate "+block.Type+" block", "Only one is allowed here.")}
		}
		diags = append(diags, bad...)
	}
	return diags
}

func decodeAuthentication(block *hcl.Block, eval *hcl.EvalContext, a *Authentication) hcl.Diagnostics {
	schemes := []string{"basic"}
	if a.Scheme != "basic" {
		return hcl.Diagnostics{mistake(block.LabelRanges[0], "Unknown authentication",
			"%s", sentence(fmt.Errorf("%q is not one of %s%s", a.Scheme, quoted(schemes), Meant(a.Scheme, schemes))))}
	}
	_, diags := decode(block.Body, eval, []field{path("credentials_file", &a.CredentialsFile).must()})
	return diags
}
