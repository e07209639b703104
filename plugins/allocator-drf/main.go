// Command allocator-drf is the allocator plugin that shares a cluster fairly: by hierarchical dominant
// resource fairness, with weights and quotas. Package drf does the work.
package main

import (
	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/serve"
)

// version is set when the program is linked.
var version = "0.1.0"

func main() {
	serve.EventAllocator("drf", version, drf.New, serve.Doc("Shares the cluster fairly among roles and frameworks (DRF)."))
}
