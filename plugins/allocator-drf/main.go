// Command allocator-drf is the allocator plugin that shares a cluster fairly: by hierarchical dominant
// resource fairness, with weights and quotas. Package drf does the work.
package main

import (
	"runtime/debug"

	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// version is set when the program is linked.
var version = "0.1.0"

// gcPercent lets the heap grow to five times what is live before it is collected. A snapshot of the cluster is decoded
// in one go, and with Go's default much of that time goes into collections that find next to nothing.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	serve.EventAllocator("drf", version, drf.New, serve.Doc("Shares the cluster fairly among roles and frameworks (DRF)."))
}
