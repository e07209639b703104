// Package daemon is a running master, a running agent, or both: it reads the configuration, starts the plugins,
// opens the stores and the listeners, and drives the state machines with real clocks, sockets and disks. It is the
// one place where everything is wired together, and so the only package that may import all the others.
package daemon
