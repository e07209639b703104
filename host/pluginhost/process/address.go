package process

import (
	"fmt"
	"net/netip"
	"path/filepath"
)

// PluginToHost checks the address that a plugin says it listens on: a socket in its own folder, or, where there are no
// such sockets, a port of this machine's own, and nothing else, or a plugin could have the host talk to whatever it likes.
func (p *Process) PluginToHost(network, address string) (string, string, error) {
	inFolder := network == "unix" && filepath.Clean(address) == address && filepath.Dir(address) == p.spec.SocketDir
	if inFolder && UnixSockets || !UnixSockets && network == "tcp" && onLoopback(address) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.network, p.address = network, address
		return network, address, nil
	}
	if !UnixSockets {
		return "", "", fmt.Errorf("the plugin listens on %s %s, which is not a TCP port of 127.0.0.1", network, address)
	}
	return "", "", fmt.Errorf("the plugin listens on %s %s, which is not a socket in its folder %s", network, address, p.spec.SocketDir)
}

func onLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().IsLoopback() && a.Port() > 0
}

// Address is where the plugin listens, empty before it has said so.
func (p *Process) Address() (network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network, p.address
}

// HostToPlugin changes nothing: both see the same files.
func (p *Process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
