package config

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// listener is an address and what a listener beyond loopback needs.
type listener struct {
	attribute, address string
	// mutual listeners are for masters and agents among each other: TLS with a ca_file is enough.
	mutual bool
}

func (m *Master) checkListeners(content *hcl.BodyContent, block *hcl.Block) hcl.Diagnostics {
	listeners := []listener{
		{attribute: "listen", address: m.Listen},
		{attribute: "agent_listen", address: m.AgentListen, mutual: true},
		{attribute: "raft_listen", address: m.RaftListen, mutual: true},
	}
	diags := checkAdvertised(content, block, m.Listen, m.Advertise)
	diags = append(diags, checkDistinct(content, block, listeners)...)
	return append(diags, checkOpen(content, block, m.Insecure, m.TLS, m.Authentication, listeners)...)
}

// checkDistinct refuses two listeners at one address. Port 0 is another one each time.
func checkDistinct(content *hcl.BodyContent, block *hcl.Block, listeners []listener) hcl.Diagnostics {
	var diags hcl.Diagnostics
	taken := map[string]listener{}
	for _, l := range listeners {
		other, twice := taken[l.address]
		taken[l.address] = l
		if _, port, _ := net.SplitHostPort(l.address); !twice || port == "0" {
			continue
		}
		at := block.DefRange
		for _, name := range []string{other.attribute, l.attribute} { // the other may be the default
			if attribute, ok := content.Attributes[name]; ok {
				at = attribute.Expr.Range()
			}
		}
		diags = append(diags, mistake(at, "One address for two listeners", "%s and %s are both %s. Each needs a port of its own.",
			other.attribute, l.attribute, l.address))
	}
	return diags
}

func (a *Agent) checkListeners(content *hcl.BodyContent, block *hcl.Block) hcl.Diagnostics {
	diags := checkAdvertised(content, block, a.Listen, a.Advertise)
	return append(diags, checkOpen(content, block, a.Insecure, a.TLS, a.Authentication, []listener{
		{attribute: "listen", address: a.Listen},
	})...)
}

// checkAdvertised refuses a listener on all addresses of which nobody is told one to use.
func checkAdvertised(content *hcl.BodyContent, block *hcl.Block, listen, advertise string) hcl.Diagnostics {
	host, _, err := net.SplitHostPort(listen)
	if ip, bad := netip.ParseAddr(host); err != nil || advertise != "" || host != "" && (bad != nil || !ip.IsUnspecified()) {
		return nil
	}
	at := block.DefRange
	if attribute, ok := content.Attributes["listen"]; ok {
		at = attribute.Expr.Range()
	}
	return hcl.Diagnostics{mistake(at, "No address to tell",
		"listen = %q is on all addresses of the machine. Set advertise to the host:port that others are to use.", listen)}
}

// checkOpen refuses a listener that the network can reach without TLS and authentication, unless the
// operator says `insecure = true`.
func checkOpen(content *hcl.BodyContent, block *hcl.Block, insecure bool, t *TLS, a *Authentication, listeners []listener) hcl.Diagnostics {
	if insecure {
		return nil
	}
	var diags hcl.Diagnostics
	for _, l := range listeners {
		missing := l.missing(t, a)
		if missing == "" {
			continue
		}
		at := block.DefRange
		if attribute, ok := content.Attributes[l.attribute]; ok {
			at = attribute.Expr.Range()
		}
		diags = append(diags, mistake(at, "Open listener",
			"%s = %q can be reached from the network without %s. Add that, listen on 127.0.0.1, or set insecure = true to allow it.",
			l.attribute, l.address, missing))
	}
	return diags
}

// missing says what the listener lacks, or nothing if it is on loopback or protected.
func (l listener) missing(t *TLS, a *Authentication) string {
	switch {
	case loopback(l.address):
		return ""
	case l.mutual && (t == nil || t.CAFile == ""):
		return "mutual TLS (a tls block with ca_file)"
	case l.mutual:
		return ""
	case t == nil && a == nil:
		return "TLS and authentication (a tls and an authentication block)"
	case t == nil:
		return "TLS (a tls block)"
	case a == nil:
		return "authentication (an authentication block)"
	default:
		return ""
	}
}

// loopback says whether only this machine can reach the address. A name other than localhost may mean
// anything, so it counts as reachable.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// openWarnings is what to say at every start about listeners that `insecure` leaves open.
func (s *Settings) openWarnings() []string {
	var warnings []string
	warn := func(daemon string, insecure bool, t *TLS, a *Authentication, listeners ...listener) {
		for _, l := range listeners {
			if missing := l.missing(t, a); insecure && missing != "" {
				warnings = append(warnings, fmt.Sprintf("insecure = true: the %s's %s %s can be reached from the network without %s",
					daemon, l.attribute, l.address, missing))
			}
		}
	}
	if m := s.Master; m != nil {
		warn("master", m.Insecure, m.TLS, m.Authentication, listener{"listen", m.Listen, false},
			listener{"agent_listen", m.AgentListen, true}, listener{"raft_listen", m.RaftListen, true})
	}
	if a := s.Agent; a != nil {
		warn("agent", a.Insecure, a.TLS, a.Authentication, listener{"listen", a.Listen, false})
	}
	return warnings
}
