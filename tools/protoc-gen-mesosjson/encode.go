package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// writtenWhenEmpty lists the repeated fields that Mesos writes even when they are empty. It leaves out
// all others, but writes the lists of these answers straight from its state.
var writtenWhenEmpty = map[protoreflect.FullName]bool{
	"mesos.v1.master.Response.GetTasks.tasks":                     true,
	"mesos.v1.master.Response.GetTasks.unreachable_tasks":         true,
	"mesos.v1.master.Response.GetTasks.completed_tasks":           true,
	"mesos.v1.master.Response.GetAgents.agents":                   true,
	"mesos.v1.master.Response.GetAgents.recovered_agents":         true,
	"mesos.v1.master.Response.GetFrameworks.frameworks":           true,
	"mesos.v1.master.Response.GetFrameworks.completed_frameworks": true,
	"mesos.v1.master.Response.GetExecutors.executors":             true,
	"mesos.v1.agent.Response.GetTasks.pending_tasks":              true,
	"mesos.v1.agent.Response.GetTasks.queued_tasks":               true,
	"mesos.v1.agent.Response.GetTasks.launched_tasks":             true,
	"mesos.v1.agent.Response.GetTasks.terminated_tasks":           true,
	"mesos.v1.agent.Response.GetTasks.completed_tasks":            true,
	"mesos.v1.agent.Response.GetFrameworks.frameworks":            true,
	"mesos.v1.agent.Response.GetFrameworks.completed_frameworks":  true,
	"mesos.v1.agent.Response.GetExecutors.executors":              true,
	"mesos.v1.agent.Response.GetExecutors.completed_executors":    true,
}

func generateEncoder(g *protogen.GeneratedFile, m *protogen.Message) {
	g.P()
	g.P("// AppendMesosJSON appends the message, of which nil is an empty one, to b as an object.")
	g.P("func (x *", m.GoIdent, ") AppendMesosJSON(b []byte) []byte {")
	g.P("if x == nil {")
	g.P(`return append(b, "{}"...)`)
	g.P("}")
	g.P("b = append(b, '{')")
	for _, f := range m.Fields {
		encodeField(g, f)
	}
	g.P("return ", jsonwire.Ident("EndObject"), "(b)")
	g.P("}")
}

func encodeField(g *protogen.GeneratedFile, f *protogen.Field) {
	field := "x." + f.GoName
	switch {
	case f.Desc.IsMap():
		encodeMap(g, f, field)
	case f.Desc.IsList():
		encodeList(g, f, field)
	case f.Oneof != nil:
		g.P("if v, ok := x.", f.Oneof.GoName, ".(*", f.GoIdent, "); ok {")
		encodeNamed(g, f, "v."+f.GoName)
		g.P("}")
	default:
		g.P("if ", field, " != nil {")
		if f.Message == nil && f.Desc.Kind() != protoreflect.BytesKind {
			field = "*" + field
		}
		encodeNamed(g, f, field)
		g.P("}")
	}
}

func encodeMap(g *protogen.GeneratedFile, f *protogen.Field, field string) {
	g.P("if len(", field, ") > 0 {")
	g.P("b = append(b, `\"", f.Desc.Name(), "\":{`...)")
	g.P("for _, k := range ", slices.Ident("Sorted"), "(", maps.Ident("Keys"), "(", field, ")) {")
	g.P("b = append(", jsonwire.Ident("AppendString"), "(b, k), ':')")
	encodeValue(g, f.Message.Fields[1], field+"[k]")
	g.P("b = append(b, ',')")
	g.P("}")
	g.P("b = append(", jsonwire.Ident("EndObject"), "(b), ',')")
	g.P("}")
}

func encodeList(g *protogen.GeneratedFile, f *protogen.Field, field string) {
	always := writtenWhenEmpty[f.Desc.FullName()]
	if !always {
		g.P("if len(", field, ") > 0 {")
	}
	g.P("b = append(b, `\"", f.Desc.Name(), "\":[`...)")
	g.P("for _, v := range ", field, " {")
	if f.Enum != nil {
		g.P("if name, ok := ", enumTable(f, "_name"), "[int32(v)]; ok {")
		g.P("b = append(append(append(b, '\"'), name...), '\"', ',')")
		g.P("}")
	} else {
		encodeValue(g, f, "v")
		g.P("b = append(b, ',')")
	}
	g.P("}")
	g.P("b = append(", jsonwire.Ident("EndArray"), "(b), ',')")
	if !always {
		g.P("}")
	}
}

// encodeNamed writes the field's name, its value and a comma.
func encodeNamed(g *protogen.GeneratedFile, f *protogen.Field, value string) {
	if f.Enum != nil {
		g.P("if name, ok := ", enumTable(f, "_name"), "[int32(", value, ")]; ok {")
		g.P("b = append(append(append(b, `\"", f.Desc.Name(), "\":\"`...), name...), '\"', ',')")
		g.P("}")
		return
	}
	g.P("b = append(b, `\"", f.Desc.Name(), "\":`...)")
	encodeValue(g, f, value)
	g.P("b = append(b, ',')")
}

func encodeValue(g *protogen.GeneratedFile, f *protogen.Field, value string) {
	var name string
	switch f.Desc.Kind() {
	case protoreflect.MessageKind:
		if f.Message.Desc.FullName() != "google.protobuf.Duration" {
			g.P("b = ", value, ".AppendMesosJSON(b)")
			return
		}
		name = "AppendDuration"
	case protoreflect.StringKind:
		name = "AppendString"
	case protoreflect.BytesKind:
		name = "AppendBytes"
	case protoreflect.BoolKind:
		name = "AppendBool"
	case protoreflect.DoubleKind:
		name = "AppendDouble"
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		name = "AppendInt"
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		name = "AppendUint"
	default:
		panic("no encoding for the kind of " + string(f.Desc.FullName()))
	}
	g.P("b = ", jsonwire.Ident(name), "(b, ", value, ")")
}

// enumTable names a table of protoc-gen-go's.
func enumTable(f *protogen.Field, suffix string) protogen.GoIdent {
	id := f.Enum.GoIdent
	id.GoName += suffix
	return id
}
