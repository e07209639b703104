package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// somewhere is a place in a config block: a body, several blocks of one name, or an expression.
type somewhere struct {
	body   hcl.Body
	blocks hcl.Blocks
	expr   hcl.Expression
	at     hcl.Range
}

// locate follows a path from the config block as far as it leads.
func (p Plugin) locate(path []*pluginv1.Step) hcl.Range {
	here := somewhere{body: p.config.body, at: p.config.at}
	for _, step := range path {
		next, ok := here.step(step)
		if !ok {
			break
		}
		here = next
	}
	return here.at
}

func (s somewhere) step(step *pluginv1.Step) (somewhere, bool) {
	switch step := step.GetStep().(type) {
	case *pluginv1.Step_Attribute:
		return s.named(step.Attribute)
	case *pluginv1.Step_Index:
		return s.indexed(int(step.Index))
	case *pluginv1.Step_Key:
		return s.keyed(step.Key)
	case *pluginv1.Step_Label:
		for _, b := range s.blocks {
			if len(b.Labels) > 0 && b.Labels[0] == step.Label {
				return somewhere{body: b.Body, at: b.DefRange}, true
			}
		}
	}
	return s, false
}

// named finds an attribute or blocks of a body, or a member of an object.
func (s somewhere) named(name string) (somewhere, bool) {
	if s.expr != nil {
		return s.keyed(name)
	}
	if s.body == nil && len(s.blocks) == 1 {
		s.body = s.blocks[0].Body
	}
	if s.body == nil {
		return s, false
	}
	content, _, _ := s.body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	if attribute, ok := content.Attributes[name]; ok {
		return somewhere{expr: attribute.Expr, at: attribute.Expr.Range()}, true
	}
	for _, labels := range [][]string{nil, {"name"}} {
		content, _, diags := s.body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: name, LabelNames: labels}}})
		if len(content.Blocks) > 0 && !diags.HasErrors() {
			return somewhere{blocks: content.Blocks, at: content.Blocks[0].DefRange}, true
		}
	}
	return s, false
}

func (s somewhere) indexed(i int) (somewhere, bool) {
	if i < len(s.blocks) {
		return somewhere{body: s.blocks[i].Body, at: s.blocks[i].DefRange}, true
	}
	if s.expr == nil {
		return s, false
	}
	list, diags := hcl.ExprList(s.expr)
	if diags.HasErrors() || i >= len(list) {
		return s, false
	}
	return somewhere{expr: list[i], at: list[i].Range()}, true
}

func (s somewhere) keyed(key string) (somewhere, bool) {
	if s.expr == nil {
		return s, false
	}
	pairs, _ := hcl.ExprMap(s.expr)
	for _, pair := range pairs {
		k, diags := pair.Key.Value(nil)
		if !diags.HasErrors() && k.Type() == cty.String && !k.IsNull() && k.AsString() == key {
			return somewhere{expr: pair.Value, at: pair.Value.Range()}, true
		}
	}
	return s, false
}
