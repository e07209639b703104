// Package pluginhost finds, verifies, starts, configures, watches, restarts and replaces plugins.
//
// A [Host] holds the plugins of one daemon. Each [Plugin] has at most one process that acts: it is started
// from the exact file that was verified, describes itself, takes its configuration, and is then called
// through [Plugin.Conn], which leads every call to whatever process is the plugin's now. A process that ends
// is started again after a back-off; one that no longer answers is killed first. [Host.Reload] replaces a
// process by a new one without losing a call. Packages allocator, authorizer and isolator beneath this one
// put the kinds' contracts on top.
//
// It is the only package of the host that knows hashicorp/go-plugin, and it uses that for the handshake and
// the connection alone: package process runs the program, package supervise decides about restarts.
package pluginhost
