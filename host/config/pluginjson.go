package config

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// JSON checks the plugin's config block against the schema that the plugin gave, and returns what is sent
// to it: one object, defaults filled in. The error is an *[Error] with places in the operator's file, unless
// the schema itself is wrong.
func (p Plugin) JSON(schema *pluginv1.Block) ([]byte, error) {
	if err := CheckSchema(schema); err != nil {
		return nil, fmt.Errorf("%s gives a wrong schema: %w", p, err)
	}
	d, out := p.decode(schema)
	if err := newMaskedError(d.diags, p.config.sources, d.sensitive); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// decode reads the config block as far as it fits the schema.
func (p Plugin) decode(schema *pluginv1.Block) (*blockDecoder, map[string]any) {
	d := &blockDecoder{eval: p.config.eval}
	body := p.config.body
	if body == nil {
		body = hcl.EmptyBody()
	}
	return d, d.block(body, schema, p.config.at)
}

// At gives an error that came of an attribute or block of the plugin's, such as "cgroup", its place in the file. That of
// one which is not there is the plugin block's own.
func (p Plugin) At(name string, err error) error {
	at, ok := p.config.places[name]
	if !ok {
		at = p.at
	}
	return where{at, p.config.sources}.show(err)
}

// blockDecoder gathers what is wrong with a config block, and where it holds secrets.
type blockDecoder struct {
	eval      *hcl.EvalContext
	diags     hcl.Diagnostics
	sensitive []hcl.Range
}

func (d *blockDecoder) block(body hcl.Body, schema *pluginv1.Block, at hcl.Range) map[string]any {
	content, diags := body.Content(bodySchema(schema))
	d.diags = append(d.diags, atBlock(diags, at)...)
	out := map[string]any{}
	for _, a := range schema.GetAttributes() {
		attribute, ok := content.Attributes[a.GetName()]
		if !ok {
			fillDefault(out, a)
			continue
		}
		if a.GetSensitive() {
			d.sensitive = append(d.sensitive, attribute.Range)
		}
		d.attribute(out, a, attribute)
	}
	for _, t := range schema.GetBlocks() {
		d.blocks(out, t, content.Blocks.OfType(t.GetName()), at)
	}
	return out
}

// atBlock gives diagnostics about an absent config block, which have no place, the plugin block's.
func atBlock(diags hcl.Diagnostics, at hcl.Range) hcl.Diagnostics {
	for _, diag := range diags {
		if diag.Subject == nil || diag.Subject.Filename == "" {
			diag.Subject = &at
		}
	}
	return diags
}

func bodySchema(schema *pluginv1.Block) *hcl.BodySchema {
	out := &hcl.BodySchema{}
	for _, a := range schema.GetAttributes() {
		out.Attributes = append(out.Attributes, hcl.AttributeSchema{Name: a.GetName(), Required: a.GetRequired()})
	}
	for _, t := range schema.GetBlocks() {
		header := hcl.BlockHeaderSchema{Type: t.GetName()}
		if t.GetNesting() == pluginv1.Nesting_NESTING_LABELLED {
			header.LabelNames = []string{labelName(t)}
		}
		out.Blocks = append(out.Blocks, header)
	}
	return out
}

func labelName(t *pluginv1.BlockType) string {
	if t.GetLabel() == "" {
		return "name"
	}
	return t.GetLabel()
}

func (d *blockDecoder) attribute(out map[string]any, a *pluginv1.Attribute, attribute *hcl.Attribute) {
	value, diags := attribute.Expr.Value(d.eval)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return
	}
	c := &converter{}
	out[a.GetName()] = c.attribute(a, value, attribute.Expr, attribute.Expr.Range())
	for _, wrong := range c.wrong {
		if a.GetSensitive() {
			d.diags = append(d.diags, mistake(wrong.at, "Invalid value for "+a.GetName(),
				"It does not fit a %s; it is not shown, being a secret.", kindName(a.GetType())))
			continue
		}
		d.diags = append(d.diags, mistake(wrong.at, "Invalid value for "+a.GetName(), "%s", sentence(wrong.err)))
	}
}

func (d *blockDecoder) blocks(out map[string]any, t *pluginv1.BlockType, blocks hcl.Blocks, at hcl.Range) {
	d.checkCount(t, blocks, at)
	switch t.GetNesting() {
	case pluginv1.Nesting_NESTING_SINGLE:
		if len(blocks) > 0 {
			out[t.GetName()] = d.block(blocks[0].Body, t.GetBlock(), blocks[0].DefRange)
		}
	case pluginv1.Nesting_NESTING_LIST:
		list := make([]any, 0, len(blocks))
		for _, b := range blocks {
			list = append(list, d.block(b.Body, t.GetBlock(), b.DefRange))
		}
		out[t.GetName()] = list
	case pluginv1.Nesting_NESTING_LABELLED:
		labelled := make(map[string]any, len(blocks))
		for _, b := range blocks {
			if _, twice := labelled[b.Labels[0]]; twice {
				d.diags = append(d.diags, mistake(b.LabelRanges[0], "Duplicate block", "%s %q is there already.", t.GetName(), b.Labels[0]))
			}
			labelled[b.Labels[0]] = d.block(b.Body, t.GetBlock(), b.DefRange)
		}
		out[t.GetName()] = labelled
	}
}

func (d *blockDecoder) checkCount(t *pluginv1.BlockType, blocks hcl.Blocks, at hcl.Range) {
	least, most := int(t.GetMinItems()), int(t.GetMaxItems())
	if t.GetNesting() == pluginv1.Nesting_NESTING_SINGLE {
		most = 1
	}
	switch {
	case len(blocks) < least:
		d.diags = append(d.diags, mistake(at, "Missing block", "At least %d %s block(s) are needed here.", least, t.GetName()))
	case most > 0 && len(blocks) > most:
		d.diags = append(d.diags, mistake(blocks[most].DefRange, "Too many blocks", "There can be %d %s block(s) here.", most, t.GetName()))
	}
}

// Explain shows what the plugin says about its configuration at the place that it means. A warning is a text like that
// of an error; the error is nil when there is none among it. Of what the schema says is a secret no source is shown.
func (p Plugin) Explain(schema *pluginv1.Block, diagnostics []*pluginv1.Diagnostic) (warnings []string, err error) {
	secret, _ := p.decode(schema)
	var diags hcl.Diagnostics
	for _, d := range diagnostics {
		detail := d.GetDetail()
		if detail == "" {
			detail = fmt.Sprintf("so says the plugin %s", p)
		}
		said := mistake(p.locate(d.GetPath()), d.GetSummary(), "%s", detail)
		if d.GetSeverity() == pluginv1.Severity_SEVERITY_WARNING {
			warnings = append(warnings, newMaskedError(hcl.Diagnostics{said}, p.config.sources, secret.sensitive).Error())
			continue
		}
		diags = append(diags, said)
	}
	return warnings, newMaskedError(diags, p.config.sources, secret.sensitive)
}
