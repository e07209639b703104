// Package process runs one plugin's program: it opens and verifies the binary, starts exactly what it
// verified with a scrubbed environment and dropped privileges, takes in what it prints, sees its end at once,
// and ends it with everything that it started.
//
// It imports the standard library, golang.org/x and package cgroup alone; package pluginhost puts the plugin
// protocol on top.
package process
