package schema

import (
	"fmt"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Resolve makes a path of the wire out of one whose steps are strings and ints, by what the schema has at
// each step. It stops before the first step that the schema does not have.
func Resolve(b *pluginv1.Block, path []any) []*pluginv1.Step {
	var out []*pluginv1.Step
	for len(path) > 0 {
		name := fmt.Sprint(path[0])
		if a := findAttribute(b.GetAttributes(), name); a != nil {
			return append(append(out, attributeStep(name)), resolveValue(a.GetType(), path[1:])...)
		}
		t := findBlock(b, name)
		if t == nil {
			return append(out, attributeStep(name))
		}
		out, path, b = append(out, attributeStep(name)), path[1:], t.GetBlock()
		if t.GetNesting() == pluginv1.Nesting_NESTING_SINGLE || len(path) == 0 {
			continue
		}
		i, isIndex := path[0].(int)
		switch {
		case t.GetNesting() == pluginv1.Nesting_NESTING_LIST && isIndex:
			out = append(out, indexStep(i))
		case t.GetNesting() == pluginv1.Nesting_NESTING_LABELLED:
			out = append(out, &pluginv1.Step{Step: &pluginv1.Step_Label{Label: fmt.Sprint(path[0])}})
		default:
			return out
		}
		path = path[1:]
	}
	return out
}

func resolveValue(t *pluginv1.Type, path []any) []*pluginv1.Step {
	var out []*pluginv1.Step
	for _, step := range path {
		switch t.GetKind() {
		case pluginv1.Kind_KIND_LIST:
			i, isIndex := step.(int)
			if !isIndex {
				return out
			}
			out, t = append(out, indexStep(i)), t.GetElement()
		case pluginv1.Kind_KIND_MAP:
			key := &pluginv1.Step{Step: &pluginv1.Step_Key{Key: fmt.Sprint(step)}}
			out, t = append(out, key), t.GetElement()
		case pluginv1.Kind_KIND_OBJECT:
			a := findAttribute(t.GetAttributes(), fmt.Sprint(step))
			out, t = append(out, attributeStep(fmt.Sprint(step))), a.GetType()
		default:
			return out
		}
	}
	return out
}

func attributeStep(name string) *pluginv1.Step {
	return &pluginv1.Step{Step: &pluginv1.Step_Attribute{Attribute: name}}
}

func indexStep(i int) *pluginv1.Step {
	return &pluginv1.Step{Step: &pluginv1.Step_Index{Index: uint32(max(i, 0))}} //nolint:gosec // an index of a list in memory
}

func findAttribute(as []*pluginv1.Attribute, name string) *pluginv1.Attribute {
	for _, a := range as {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func findBlock(b *pluginv1.Block, name string) *pluginv1.BlockType {
	for _, t := range b.GetBlocks() {
		if t.GetName() == name {
			return t
		}
	}
	return nil
}
