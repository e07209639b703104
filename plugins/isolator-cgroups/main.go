//go:build linux

// Command isolator-cgroups is the isolator plugin that confines containers with Linux's control groups.
package main

import (
	"github.com/mezzo-cluster/mezzo/plugins/isolator-cgroups/cgroups"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// version is the plugin's own.
const version = "0.1.0"

func main() {
	serve.Isolator("cgroups", version, cgroups.New,
		serve.Doc("Confines containers with control groups, version 1 or 2: cpu, memory and pids."))
}
