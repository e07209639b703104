package masterapi

import (
	"context"
	"net/url"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	"github.com/mezzo-cluster/mezzo/host/api/legacy"
	"github.com/mezzo-cluster/mezzo/host/api/view"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// writeRoles writes /roles.
func (e *Endpoints) writeRoles(ctx context.Context, doc *document.Writer, v *view.Viewer, _ url.Values) {
	doc.Begin("")
	doc.BeginList("roles")
	for _, r := range v.Roles(ctx) {
		doc.Begin("")
		doc.Str("name", r.Name)
		doc.Num("weight", 1)
		doc.Begin("quota")
		doc.Str("role", r.Name)
		legacy.Quantities(doc, "guarantee", resource.Quantities{})
		legacy.Quantities(doc, "limit", resource.Quantities{})
		legacy.Quantities(doc, "consumed", r.Allocated)
		doc.End()
		all, err := r.Allocated.Add(r.Offered)
		if err != nil { // of all agents together, more than can be written down
			all = r.Allocated
		}
		legacy.Quantities(doc, "resources", all)
		legacy.Quantities(doc, "allocated", r.Allocated)
		legacy.Quantities(doc, "offered", r.Offered)
		legacy.Quantities(doc, "reserved", r.Reserved)
		doc.Strs("frameworks", r.Frameworks)
		doc.End()
	}
	doc.EndList()
	doc.End()
}
