// Package legacy has the forms in which Mesos's endpoints from before the v1 API write resources, tasks and what
// else occurs in the documents of both masters and agents. Third-party tools read these documents by their names
// and types, so they stay as they are.
//
// It imports sdk/mesos, sdk/resource and host/api/document.
package legacy

import (
	"maps"
	"slices"

	"github.com/mezzo-cluster/mezzo/host/api/document"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// always are the resources that a document lists even if there are none, in this order.
var always = []string{"disk", "mem", "gpus", "cpus"}

// full is the format of resources that are written in full.
var full = wire.Format{BothReservations: true, AllocationInfo: true}

// Resources writes resources as an object of numbers and texts: reservations aside, ports as "[31000-32000]", what
// is revocable under a name of its own.
func Resources(doc *document.Writer, key string, all resource.Resources) {
	doc.Begin(key)
	steady := all.NonRevocable()
	for _, name := range always {
		doc.Num(name, steady.Amount(name).Float())
	}
	others(doc, steady, "", always)
	others(doc, all.Revocable(), "_revocable", nil)
	doc.End()
}

// others writes the resources but those to be left out, each name once.
func others(doc *document.Writer, all resource.Resources, suffix string, except []string) {
	names := map[string]resource.Kind{}
	for r := range all.All() {
		if !slices.Contains(except, r.Name) {
			names[r.Name] = r.Kind
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] == resource.KindScalar {
			doc.Num(name+suffix, all.Amount(name).Float())
			continue
		}
		doc.Str(name+suffix, text(all, name))
	}
}

// text unites the ranges, or the sets, of one name.
func text(all resource.Resources, name string) string {
	var ranges []resource.Range
	var set []string
	for r := range all.All() {
		if r.Name == name {
			ranges, set = append(ranges, r.Ranges...), append(set, r.Set...)
		}
	}
	if len(set) > 0 {
		slices.Sort(set)
		return resource.Set(slices.Compact(set)).String()
	}
	united, err := resource.NewRanges(ranges...)
	if err != nil { // they were apart in resources that held together
		return ""
	}
	return united.String()
}

// ByRole writes an object of resources by the role that they are reserved for.
func ByRole(doc *document.Writer, key string, all resource.Resources) {
	doc.Begin(key)
	for _, role := range all.Roles() {
		Resources(doc, role, all.ReservedTo(role))
	}
	doc.End()
}

// Full writes resources as messages.
func Full(doc *document.Writer, key string, all resource.Resources) {
	doc.BeginList(key)
	for _, m := range wire.ToMesos(all, full) {
		doc.Proto("", m)
	}
	doc.EndList()
}

// FullByRole writes an object of resources, as messages, by the role that they are reserved for.
func FullByRole(doc *document.Writer, key string, all resource.Resources) {
	doc.Begin(key)
	for _, role := range all.Roles() {
		Full(doc, role, all.ReservedTo(role))
	}
	doc.End()
}

// Quantities writes the amounts of resources, those that are zero left out.
func Quantities(doc *document.Writer, key string, amounts resource.Quantities) {
	doc.Begin(key)
	for name, amount := range amounts.All() {
		doc.Num(name, amount.Float())
	}
	doc.End()
}

// Attributes writes attributes as an object; of a name that occurs twice, the last is written.
func Attributes(doc *document.Writer, all []resource.Attribute) {
	last := map[string]int{}
	for i, a := range all {
		last[a.Name] = i
	}
	doc.Begin("attributes")
	for i, a := range all {
		switch {
		case last[a.Name] != i:
		case a.Kind == resource.AttributeScalar:
			doc.Num(a.Name, a.Scalar.Float())
		default:
			doc.Str(a.Name, a.Value())
		}
	}
	doc.End()
}

// AgentCapabilities writes the names of an agent's capabilities.
func AgentCapabilities(doc *document.Writer, all []mesos.AgentInfo_Capability_Type) {
	doc.BeginList("capabilities")
	for _, c := range all {
		doc.Str("", c.String())
	}
	doc.EndList()
}

// Labels writes labels, if there are any.
func Labels(doc *document.Writer, l *mesos.Labels) {
	if l == nil {
		return
	}
	doc.BeginList("labels")
	for _, one := range l.GetLabels() {
		doc.Proto("", one)
	}
	doc.EndList()
}

// FrameworkRoles writes a framework's `roles`, or its `role` if it has no more than one.
func FrameworkRoles(doc *document.Writer, info *mesos.FrameworkInfo) {
	for _, c := range info.GetCapabilities() {
		if c.GetType() == mesos.FrameworkInfo_Capability_MULTI_ROLE {
			doc.Strs("roles", info.GetRoles())
			return
		}
	}
	role := info.GetRole()
	if role == "" {
		role = resource.DefaultRole
	}
	doc.Str("role", role)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
