package config

import (
	"encoding/json"
	"fmt"
	"regexp"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// Bounds of a plugin's schema, which is what some program says.
const (
	maxSchemaDepth = 16
	maxSchemaNames = 1000
)

var schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// CheckSchema says what is wrong with a schema that a plugin gave, nil when nothing is.
func CheckSchema(schema *pluginv1.Block) error {
	c := &schemaCheck{}
	return c.block(schema, 0)
}

type schemaCheck struct{ names int }

func (c *schemaCheck) name(seen map[string]bool, name string) error {
	if c.names++; c.names > maxSchemaNames {
		return fmt.Errorf("the schema has more than %d names", maxSchemaNames)
	}
	if !schemaName.MatchString(name) {
		return fmt.Errorf("%.40q is not a name in lower case with underscores", name)
	}
	if seen[name] {
		return fmt.Errorf("%q is there twice", name)
	}
	seen[name] = true
	return nil
}

func (c *schemaCheck) block(b *pluginv1.Block, depth int) error {
	if depth > maxSchemaDepth {
		return fmt.Errorf("the schema is more than %d levels deep", maxSchemaDepth)
	}
	seen := map[string]bool{}
	for _, a := range b.GetAttributes() {
		if err := c.attribute(seen, a, depth); err != nil {
			return err
		}
	}
	for _, t := range b.GetBlocks() {
		if err := c.name(seen, t.GetName()); err != nil {
			return err
		}
		if n := t.GetNesting(); n < pluginv1.Nesting_NESTING_SINGLE || n > pluginv1.Nesting_NESTING_LABELLED {
			return fmt.Errorf("%s: unknown nesting %d", t.GetName(), n)
		}
		if err := c.block(t.GetBlock(), depth+1); err != nil {
			return fmt.Errorf("%s: %w", t.GetName(), err)
		}
	}
	return nil
}

func (c *schemaCheck) attribute(seen map[string]bool, a *pluginv1.Attribute, depth int) error {
	if err := c.name(seen, a.GetName()); err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("%s: %w", a.GetName(), err) }
	if err := c.typ(a.GetType(), depth+1); err != nil {
		return wrap(err)
	}
	if _, err := regexp.Compile(a.GetPattern()); err != nil {
		return wrap(fmt.Errorf("the pattern: %w", err))
	}
	if a.GetDefaultJson() == "" {
		return nil
	}
	if a.GetRequired() {
		return wrap(fmt.Errorf("it is required and has a default"))
	}
	var value any
	if err := decodeJSON(a.GetDefaultJson(), &value); err != nil {
		return wrap(fmt.Errorf("the default: %w", err))
	}
	if !fits(a.GetType(), value) {
		return wrap(fmt.Errorf("the default %.40s is no %s", a.GetDefaultJson(), kindName(a.GetType())))
	}
	return nil
}

func (c *schemaCheck) typ(t *pluginv1.Type, depth int) error {
	if depth > maxSchemaDepth {
		return fmt.Errorf("the schema is more than %d levels deep", maxSchemaDepth)
	}
	switch t.GetKind() {
	case pluginv1.Kind_KIND_LIST, pluginv1.Kind_KIND_MAP:
		if t.GetElement() == nil {
			return fmt.Errorf("a %s of nothing", kindName(t))
		}
		return c.typ(t.GetElement(), depth+1)
	case pluginv1.Kind_KIND_OBJECT:
		return c.block(&pluginv1.Block{Attributes: t.GetAttributes()}, depth+1)
	case pluginv1.Kind_KIND_ENUM:
		if len(t.GetValues()) == 0 {
			return fmt.Errorf("an enum without values")
		}
		return nil
	}
	if kindNames[t.GetKind()] == "" {
		return fmt.Errorf("unknown kind %d", t.GetKind())
	}
	return nil
}

var kindNames = map[pluginv1.Kind]string{
	pluginv1.Kind_KIND_STRING: "string", pluginv1.Kind_KIND_BOOL: "bool", pluginv1.Kind_KIND_INT: "whole number",
	pluginv1.Kind_KIND_NUMBER: "number", pluginv1.Kind_KIND_DURATION: "duration", pluginv1.Kind_KIND_BYTES: "amount of bytes",
	pluginv1.Kind_KIND_ENUM: "enum", pluginv1.Kind_KIND_LIST: "list", pluginv1.Kind_KIND_MAP: "map", pluginv1.Kind_KIND_OBJECT: "object",
}

func kindName(t *pluginv1.Type) string { return kindNames[t.GetKind()] }

// fits says whether a decoded JSON value is what the type is sent as.
func fits(t *pluginv1.Type, value any) bool {
	switch v := value.(type) {
	case string:
		switch t.GetKind() {
		case pluginv1.Kind_KIND_STRING, pluginv1.Kind_KIND_ENUM:
			return true
		case pluginv1.Kind_KIND_INT, pluginv1.Kind_KIND_DURATION, pluginv1.Kind_KIND_BYTES:
			_, err := json.Number(v).Int64()
			return err == nil
		}
	case bool:
		return t.GetKind() == pluginv1.Kind_KIND_BOOL
	case json.Number:
		return t.GetKind() == pluginv1.Kind_KIND_NUMBER
	case []any:
		for _, element := range v {
			if t.GetKind() != pluginv1.Kind_KIND_LIST || !fits(t.GetElement(), element) {
				return false
			}
		}
		return t.GetKind() == pluginv1.Kind_KIND_LIST
	case map[string]any:
		return fitsObject(t, v)
	}
	return false
}

func fitsObject(t *pluginv1.Type, object map[string]any) bool {
	switch t.GetKind() {
	case pluginv1.Kind_KIND_MAP:
		for _, element := range object {
			if !fits(t.GetElement(), element) {
				return false
			}
		}
		return true
	case pluginv1.Kind_KIND_OBJECT:
		known := 0
		for _, a := range t.GetAttributes() {
			if member, ok := object[a.GetName()]; ok {
				known++
				if !fits(a.GetType(), member) {
					return false
				}
			}
		}
		return known == len(object)
	default:
		return false
	}
}
