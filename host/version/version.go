// Package version says which release this is, and which Mesos its interfaces agree with. It imports nothing of
// the host.
package version

import "runtime/debug"

// Mesos is the version of Apache Mesos whose API is spoken. Clients read it from /version and switch features on
// by it, so it is purely dotted.
const Mesos = "1.12.0"

// version is set when the program is linked.
var version string

// Mezzo returns this build's own version: what it was linked with, or else what Go knows of the module.
func Mezzo() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// Revision returns the commit this build was made from, empty if that is not known.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
