package config

import (
	"fmt"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// field is one attribute of a block: its name and how its value gets into the settings.
type field struct {
	name     string
	required bool
	set      func(cty.Value) error
}

func (f field) must() field {
	f.required = true
	return f
}

// and adds a check that runs once the value is set.
func (f field) and(check func() error) field {
	set := f.set
	f.set = func(v cty.Value) error {
		if err := set(v); err != nil {
			return err
		}
		return check()
	}
	return f
}

// decode reads the attributes of a body and leaves its blocks, which must be of the given types, to the caller.
func decode(body hcl.Body, eval *hcl.EvalContext, fields []field, blocks ...hcl.BlockHeaderSchema) (*hcl.BodyContent, hcl.Diagnostics) {
	schema := &hcl.BodySchema{Blocks: blocks}
	for _, f := range fields {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: f.name, Required: f.required})
	}
	content, diags := body.Content(schema)
	for _, f := range fields {
		attribute, ok := content.Attributes[f.name]
		if !ok {
			continue
		}
		value, bad := attribute.Expr.Value(eval)
		diags = append(diags, bad...)
		if bad.HasErrors() {
			continue
		}
		if err := setKnown(f, value); err != nil {
			diags = append(diags, mistake(attribute.Expr.Range(), "Invalid value for "+f.name, "%s", sentence(err)))
		}
	}
	return content, diags
}

func setKnown(f field, value cty.Value) error {
	if value.IsNull() {
		return fmt.Errorf("null is not a value; leave the attribute out instead")
	}
	return f.set(value)
}

func text(name string, to *string) field {
	return field{name: name, set: func(v cty.Value) error {
		if v.Type() != cty.String {
			return fmt.Errorf("a string is needed, not %s", v.Type().FriendlyName())
		}
		*to = v.AsString()
		return nil
	}}
}

func oneOf(name string, to *string, allowed ...string) field {
	return text(name, to).and(func() error {
		if !slices.Contains(allowed, *to) {
			return fmt.Errorf("%q is not one of %s%s", *to, quoted(allowed), Meant(*to, allowed))
		}
		return nil
	})
}

// path is a file or folder, made absolute from the folder that the program runs in.
func path(name string, to *string) field {
	return text(name, to).and(func() error {
		if *to == "" {
			return fmt.Errorf("a path is needed")
		}
		absolute, err := filepath.Abs(*to)
		*to = absolute
		return err
	})
}

func address(name string, to *string) field {
	return text(name, to).and(func() error { return checkAddress(*to) })
}

func addresses(name string, to *[]string) field {
	return texts(name, to).and(func() error {
		for _, a := range *to {
			if err := checkAddress(a); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkAddress(a string) error {
	_, port, err := net.SplitHostPort(a)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as \"127.0.0.1:5050\"", a)
	}
	return nil
}

func boolean(name string, to *bool) field {
	return field{name: name, set: func(v cty.Value) error {
		if v.Type() != cty.Bool {
			return fmt.Errorf("true or false is needed, not %s", v.Type().FriendlyName())
		}
		*to = v.True()
		return nil
	}}
}

// count is a whole number of at least the given one.
func count(name string, to *int, least int) field {
	return field{name: name, set: func(v cty.Value) error {
		if v.Type() != cty.Number {
			return fmt.Errorf("a whole number is needed, not %s", v.Type().FriendlyName())
		}
		f := v.AsBigFloat()
		n, exact := f.Int64()
		if !f.IsInt() || exact != 0 || n > math.MaxInt32 {
			return fmt.Errorf("a whole number is needed, not %s", figure(f))
		}
		if n < int64(least) {
			return fmt.Errorf("%d is less than %d", n, least)
		}
		*to = int(n)
		return nil
	}}
}

func duration(name string, to *time.Duration) field {
	return field{name: name, set: func(v cty.Value) (err error) {
		if v.Type() != cty.String {
			return fmt.Errorf("a time in quotes with its unit is needed, such as \"15s\", not %s", v.Type().FriendlyName())
		}
		*to, err = parseDuration(v.AsString())
		return err
	}}
}

func (f field) between(to *time.Duration, least, most time.Duration) field {
	return f.and(func() error {
		if *to < least || *to > most {
			return fmt.Errorf("%v is not from %v to %v", *to, least, most)
		}
		return nil
	})
}

// positive refuses no time at all.
func (f field) positive(to *time.Duration) field {
	return f.and(func() error {
		if *to == 0 {
			return fmt.Errorf("more than 0 is needed; leave the attribute out for the default")
		}
		return nil
	})
}

func texts(name string, to *[]string) field {
	return field{name: name, set: func(v cty.Value) error {
		list, err := convert.Convert(v, cty.List(cty.String))
		if err != nil || !(v.Type().IsTupleType() || v.Type().IsListType() || v.Type().IsSetType()) {
			return fmt.Errorf("a list of strings is needed, not %s", v.Type().FriendlyName())
		}
		out := make([]string, 0, list.LengthInt())
		for _, element := range list.AsValueSlice() {
			if element.IsNull() {
				return fmt.Errorf("null is not a value")
			}
			out = append(out, element.AsString())
		}
		*to = out
		return nil
	}}
}

func textMap(name string, to *map[string]string) field {
	return field{name: name, set: func(v cty.Value) error {
		m, err := convert.Convert(v, cty.Map(cty.String))
		if err != nil || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
			return fmt.Errorf("a map of strings is needed, not %s", v.Type().FriendlyName())
		}
		out := make(map[string]string, m.LengthInt())
		for key, element := range m.AsValueMap() {
			if element.IsNull() {
				return fmt.Errorf("null is not a value")
			}
			out[key] = element.AsString()
		}
		*to = out
		return nil
	}}
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = strconv.Quote(n)
	}
	return strings.Join(q, ", ")
}
