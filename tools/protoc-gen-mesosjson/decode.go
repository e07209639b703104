package main

import (
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func generateDecoder(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P()
	g.P("// DecodeMesosJSON fills the message from the object that stands next in d.")
	g.P("func (x *", m.GoIdent, ") DecodeMesosJSON(d *", jsonwire.Ident("Decoder"), ") {")
	g.P("for o := d.Object(); o.Next(); {")
	if len(m.Fields) == 0 {
		g.P("d.Skip()")
	} else {
		g.P("switch string(o.Name()) {")
		for _, f := range m.Fields {
			g.P("case ", strconv.Quote(string(f.Desc.Name())), ":")
			decodeField(g, f)
		}
		g.P("default:")
		g.P("d.Skip()")
		g.P("}")
	}
	g.P("}")
	g.P("}")
}

func decodeField(g *protogen.GeneratedFile, f *protogen.Field) {
	if f.Oneof == nil {
		g.P(append([]any{"x.", f.GoName, " = "}, decodeCall(g, f)...)...)
		return
	}
	value := "v"
	if f.Message == nil && f.Desc.Kind() != protoreflect.BytesKind {
		value = "*v"
	}
	g.P(append(append([]any{"if v := "}, decodeCall(g, f)...), "; v != nil {")...)
	g.P("x.", f.Oneof.GoName, " = &", f.GoIdent, "{", f.GoName, ": ", value, "}")
	g.P("}")
}

// decodeCall returns the parts of the call that reads the field.
func decodeCall(g *protogen.GeneratedFile, f *protogen.Field) []any {
	name := strconv.Quote(string(f.Desc.Name()))
	list := ""
	if f.Desc.IsList() {
		list = "s"
	}
	switch {
	case f.Desc.IsMap() && f.Message.Fields[1].Message == nil:
		return []any{"d.StringMap(", name, ")"}
	case f.Desc.IsMap():
		return []any{jsonwire.Ident("Map"), "[", f.Message.Fields[1].Message.GoIdent, "](d, ", name, ")"}
	case f.Enum != nil:
		return []any{jsonwire.Ident("Enum" + list), "[", f.Enum.GoIdent, "](d, ", name, ", ", enumTable(f, "_value"), ")"}
	case f.Message == nil:
		return []any{"d.", scalarMethod(f) + list, "(", name, ")"}
	case f.Message.Desc.FullName() == "google.protobuf.Duration":
		return []any{"d.Duration(", name, ")"}
	case f.Desc.IsList():
		return []any{jsonwire.Ident("Many"), "[", f.Message.GoIdent, "](d, ", name, ")"}
	}
	return []any{jsonwire.Ident("One"), "[", f.Message.GoIdent, "](d, ", name, ")"}
}

func scalarMethod(f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		return "String"
	case protoreflect.BytesKind:
		return "Bytes"
	case protoreflect.BoolKind:
		return "Bool"
	case protoreflect.DoubleKind:
		return "Double"
	case protoreflect.Int32Kind:
		return "Int32"
	case protoreflect.Int64Kind:
		return "Int64"
	case protoreflect.Uint32Kind:
		return "Uint32"
	case protoreflect.Uint64Kind:
		return "Uint64"
	}
	panic("no decoding for the kind of " + string(f.Desc.FullName()))
}
