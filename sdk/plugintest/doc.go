// Package plugintest is the conformance kit: it runs a plugin's whole contract against its binary, as a host
// would, and says what does not hold. Vendors run it in their tests:
//
//	func TestConformance(t *testing.T) {
//		plugintest.Test(t, plugintest.Options{Kind: "allocator", Binary: "bin/allocator-binpack"})
//	}
//
// and everybody runs it with `mezzo plugin verify BINARY`. It starts the plugin anew for each check, over a
// plain connection and over TLS, and looks at it from outside: its answers, its output, its descriptors and
// what it leaves behind.
//
// The plugin is started as the calling user. Isolators are given containers that really run, so most of them
// need root, and what they do to the machine is under a name that is the kit's own.
package plugintest
