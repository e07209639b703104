// Package windows tests the plugin host with real Windows programs, which scripts/windows runs under Wine. What is
// tested is the system's side of it: job objects, share modes, the lock on a folder, TCP in place of unix sockets.
package windows
