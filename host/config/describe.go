package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Describe writes a plugin's schema as the HCL block that an operator would write: what must be given
// stands there to be filled in, what may be given stands in comments with its default.
func Describe(kind, name string, schema *pluginv1.Block) string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %q %q {\n", kind, name)
	if len(schema.GetAttributes())+len(schema.GetBlocks()) > 0 {
		b.WriteString("  config {\n")
		describeBlock(&b, schema, "    ", "")
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// describeBlock writes a body. lead is put before what the operator need not write: "# " within a block
// that is itself optional.
func describeBlock(b *strings.Builder, schema *pluginv1.Block, indent, lead string) {
	first := true
	gap := func() {
		if !first {
			b.WriteString("\n")
		}
		first = false
	}
	for _, a := range schema.GetAttributes() {
		gap()
		describeAttribute(b, a, indent, lead)
	}
	for _, t := range schema.GetBlocks() {
		gap()
		comment(b, indent, t.GetDoc())
		comment(b, indent, blockCount(t))
		inner, label := lead, ""
		if t.GetMinItems() == 0 {
			inner = "# "
		}
		if t.GetNesting() == pluginv1.Nesting_NESTING_LABELLED {
			label = " " + strconv.Quote(strings.ToUpper(labelName(t)))
		}
		fmt.Fprintf(b, "%s%s%s%s {\n", indent, inner, t.GetName(), label)
		describeBlock(b, t.GetBlock(), indent+"  ", inner)
		fmt.Fprintf(b, "%s%s}\n", indent, inner)
	}
}

func describeAttribute(b *strings.Builder, a *pluginv1.Attribute, indent, lead string) {
	comment(b, indent, a.GetDoc())
	comment(b, indent, attributeFacts(a))
	value := "..."
	if a.GetDefaultJson() != "" {
		value = shown(a.GetType(), a.GetDefaultJson())
	}
	if !a.GetRequired() {
		lead = "# "
	}
	fmt.Fprintf(b, "%s%s%s = %s\n", indent, lead, a.GetName(), value)
}

func attributeFacts(a *pluginv1.Attribute) string {
	facts := []string{typeText(a.GetType())}
	if a.GetRequired() {
		facts = append(facts, "required")
	}
	if a.GetMinJson() != "" {
		facts = append(facts, "at least "+shown(a.GetType(), a.GetMinJson()))
	}
	if a.GetMaxJson() != "" {
		facts = append(facts, "at most "+shown(a.GetType(), a.GetMaxJson()))
	}
	if a.GetPattern() != "" {
		facts = append(facts, "matches "+a.GetPattern())
	}
	if a.GetSensitive() {
		facts = append(facts, "a secret")
	}
	return strings.Join(facts, "; ")
}

func typeText(t *pluginv1.Type) string {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_ENUM:
		return "one of " + quoted(t.GetValues())
	case pluginv1.Kind_KIND_LIST, pluginv1.Kind_KIND_MAP:
		return kindName(t) + " of " + typeText(t.GetElement())
	case pluginv1.Kind_KIND_OBJECT:
		members := make([]string, 0, len(t.GetAttributes()))
		for _, a := range t.GetAttributes() {
			text := a.GetName() + ": " + typeText(a.GetType())
			if a.GetRequired() {
				text += ", required"
			}
			members = append(members, text)
		}
		return "object {" + strings.Join(members, "; ") + "}"
	default:
		return kindName(t)
	}
}

func blockCount(t *pluginv1.BlockType) string {
	switch {
	case t.GetNesting() == pluginv1.Nesting_NESTING_SINGLE && t.GetMinItems() > 0:
		return "block; required"
	case t.GetNesting() == pluginv1.Nesting_NESTING_SINGLE:
		return "block; at most one"
	}
	facts := []string{"block; any number"}
	if t.GetMinItems() > 0 {
		facts = append(facts, fmt.Sprintf("at least %d", t.GetMinItems()))
	}
	if t.GetMaxItems() > 0 {
		facts = append(facts, fmt.Sprintf("at most %d", t.GetMaxItems()))
	}
	return strings.Join(facts, ", ")
}

func comment(b *strings.Builder, indent, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(b, "%s# %s\n", indent, strings.TrimRight(line, "\r\n"))
	}
}

// shown writes a value's JSON as HCL.
func shown(t *pluginv1.Type, text string) string {
	var value any
	if err := decodeJSON(text, &value); err != nil {
		return text
	}
	return shownValue(t, value)
}

func shownValue(t *pluginv1.Type, value any) string {
	switch v := value.(type) {
	case string:
		return shownText(t, v)
	case []any:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = shownValue(t.GetElement(), element)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		return shownObject(t, v)
	default:
		return fmt.Sprint(v)
	}
}

func shownText(t *pluginv1.Type, v string) string {
	n, err := json.Number(v).Int64()
	switch kind := t.GetKind(); {
	case err == nil && kind == pluginv1.Kind_KIND_DURATION:
		return strconv.Quote(time.Duration(n).String())
	case err == nil && kind == pluginv1.Kind_KIND_BYTES:
		return shownBytes(n)
	case err == nil && kind == pluginv1.Kind_KIND_INT:
		return v
	default:
		return strings.ReplaceAll(strings.ReplaceAll(strconv.Quote(v), "${", "$${"), "%{", "%%{")
	}
}

func shownBytes(n int64) string {
	unit := 0
	for n != 0 && n%1024 == 0 && unit < 4 {
		n, unit = n/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%q", strconv.FormatInt(n, 10)+[]string{"", "KiB", "MiB", "GiB", "TiB"}[unit])
}

func shownObject(t *pluginv1.Type, object map[string]any) string {
	types := map[string]*pluginv1.Type{}
	for _, a := range t.GetAttributes() {
		types[a.GetName()] = a.GetType()
	}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	parts := make([]string, 0, len(names))
	for _, name := range names {
		inner := t.GetElement()
		if inner == nil {
			inner = types[name]
		}
		key := name
		if !schemaName.MatchString(name) {
			key = strconv.Quote(name)
		}
		parts = append(parts, key+" = "+shownValue(inner, object[name]))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
