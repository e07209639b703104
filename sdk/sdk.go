// Package sdk is what every kind of plugin shares: what a plugin is given by its host, and the errors that
// mean something to the host. The kinds' contracts are the packages allocator, authorizer and isolator;
// package serve makes a program of a value that implements one.
//
// It imports the standard library only.
package sdk

import "log/slog"

// Host is what a plugin gets from its host besides its configuration. There are no calls back into the
// host.
type Host struct {
	// Logger writes to the host's log, with the plugin's name.
	Logger *slog.Logger
	// Instance is the name that the operator gave the plugin: the second label of its block.
	Instance string
	// DataDir is a folder of the plugin's own, kept over restarts. Absolute.
	DataDir string
	// ToolsOnly says that the plugin is asked for its tools alone, such as authorizer.PolicyTools. What it decides
	// by need not be there then, or be right, and attributes that are required may be missing.
	ToolsOnly bool
	// Warned takes what Warn is called with. Package serve sets it; a test of New may, to see the warnings.
	Warned func(error)
}

// Warn says that the plugin takes a configuration and that the operator should know something about it: a value that is
// deprecated, a rule that never applies. The path is as in ConfigError, and may be empty for the configuration as a whole.
// It is for New: the host shows the warning at the value's place in the operator's file, when the configuration is
// checked and when the plugin is started or reloaded, and starts the plugin. What is said later goes to the log alone. It
// is safe for concurrent use.
func (h Host) Warn(err error, path ...any) {
	if len(path) > 0 {
		err = ConfigError(err, path...)
	}
	switch {
	case h.Warned != nil:
		h.Warned(err)
	case h.Logger != nil:
		h.Logger.Warn("warning about the configuration", "warning", err.Error())
	}
}

// Bytes is an amount of bytes in a plugin's configuration. Operators write it as "64MiB" or as a number.
type Bytes int64
