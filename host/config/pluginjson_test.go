package config

import (
	"errors"
	"strings"
	"testing"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

func typed(k pluginv1.Kind) *pluginv1.Type { return &pluginv1.Type{Kind: k} }

func attribute(name string, t *pluginv1.Type, change ...func(*pluginv1.Attribute)) *pluginv1.Attribute {
	a := &pluginv1.Attribute{Name: name, Type: t, Doc: "About " + name + "."}
	for _, c := range change {
		c(a)
	}
	return a
}

func required(a *pluginv1.Attribute)  { a.Required = true }
func sensitive(a *pluginv1.Attribute) { a.Sensitive = true }

func byDefault(text string) func(*pluginv1.Attribute) {
	return func(a *pluginv1.Attribute) { a.DefaultJson = text }
}

func within(least, most string) func(*pluginv1.Attribute) {
	return func(a *pluginv1.Attribute) { a.MinJson, a.MaxJson = least, most }
}

// everything is a schema with each kind of value and each nesting.
func everything() *pluginv1.Block {
	str := typed(pluginv1.Kind_KIND_STRING)
	rule := &pluginv1.Block{Attributes: []*pluginv1.Attribute{
		attribute("name", str, required), attribute("weight", typed(pluginv1.Kind_KIND_INT), byDefault(`"1"`)),
	}}
	return &pluginv1.Block{
		Attributes: []*pluginv1.Attribute{
			attribute("text", str, func(a *pluginv1.Attribute) { a.Pattern = "[a-z]+" }),
			attribute("on", typed(pluginv1.Kind_KIND_BOOL), byDefault("true")),
			attribute("int", typed(pluginv1.Kind_KIND_INT), byDefault(`"5"`), within(`"1"`, `"10"`)),
			attribute("ratio", typed(pluginv1.Kind_KIND_NUMBER), within("0", "1")),
			attribute("every", typed(pluginv1.Kind_KIND_DURATION), byDefault(`"90000000000"`), within(`"1000000000"`, "")),
			attribute("size", typed(pluginv1.Kind_KIND_BYTES), byDefault(`"67108864"`)),
			attribute("mode", &pluginv1.Type{Kind: pluginv1.Kind_KIND_ENUM, Values: []string{"pack", "spread"}}, byDefault(`"pack"`)),
			attribute("list", &pluginv1.Type{Kind: pluginv1.Kind_KIND_LIST, Element: typed(pluginv1.Kind_KIND_INT)}, within("", "3")),
			attribute("map", &pluginv1.Type{Kind: pluginv1.Kind_KIND_MAP, Element: typed(pluginv1.Kind_KIND_DURATION)}),
			attribute("object", &pluginv1.Type{Kind: pluginv1.Kind_KIND_OBJECT, Attributes: rule.Attributes}),
			attribute("secret", str, sensitive, func(a *pluginv1.Attribute) { a.Pattern = "[0-9]+" }),
		},
		Blocks: []*pluginv1.BlockType{
			{Name: "single", Nesting: pluginv1.Nesting_NESTING_SINGLE, Block: rule, Doc: "One."},
			{Name: "rule", Nesting: pluginv1.Nesting_NESTING_LIST, Block: rule, MaxItems: 2},
			{Name: "labelled", Nesting: pluginv1.Nesting_NESTING_LABELLED, Block: rule, Label: "zone"},
		},
	}
}

// plugin reads a configuration whose one plugin has the given config block.
func plugin(t *testing.T, config string) Plugin {
	t.Helper()
	return load(t, "agent {\n work_dir = \"/x\"\n masters = [\"a:1\"]\n}\nplugin \"isolator\" \"p\" {\n"+config+"\n}\n").Plugins[0]
}

func TestPluginJSON(t *testing.T) {
	t.Parallel()
	const defaults = `"every":"90000000000","int":"5"`
	for name, c := range map[string]struct{ config, want string }{
		"nothing": {"", `{"every":"90000000000","int":"5","labelled":{},"mode":"pack","on":true,"rule":[],"size":"67108864"}`},
		"all": {`config {
			text  = lower("ABC")
			on    = false
			int   = 9007199254740993 - 9007199254740991
			ratio = 0.25
			every = "2mins"
			size  = "1GiB"
			mode  = "spread"
			list  = [1, 2]
			map   = { a = "1s", "b c" = "1ms" }
			object = { name = "n" }
			secret = "123"
			single { name = "s" }
			rule { name = "r1" }
			rule {
				name   = "r2"
				weight = 7
			}
			labelled "z1" { name = "l" }
		}`, `{"every":"120000000000","int":"2","labelled":{"z1":{"name":"l","weight":"1"}},"list":["1","2"],"map":{"a":"1000000000","b c":"1000000"},` +
			`"mode":"spread","object":{"name":"n","weight":"1"},"on":false,"ratio":0.25,"rule":[{"name":"r1","weight":"1"},{"name":"r2","weight":"7"}],` +
			`"secret":"123","single":{"name":"s","weight":"1"},"size":"1073741824","text":"abc"}`},
		"size as a number": {"config {\n size = 10\n}", `{` + defaults + `,"labelled":{},"mode":"pack","on":true,"rule":[],"size":"10"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := plugin(t, c.config).JSON(everything())
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s\nwant %s\n%v", got, c.want, err)
			}
		})
	}
}

func TestPluginJSONMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		want   string // position within good.hcl, and what is said
	}{
		"unknown attribute": {"config {\n tex = \"a\"\n}", `7:2: Unsupported argument: An argument named "tex" is not expected here. Did you mean "text"?`},
		"unknown block":     {"config {\n rul {\n }\n}", `7:2: Unsupported block type: Blocks of type "rul" are not expected here. Did you mean "rule"?`},
		"string for int":    {"config {\n int = \"5\"\n}", "7:8: Invalid value for int: a whole number is needed, not string."},
		"fraction for int":  {"config {\n int = 1.5\n}", "7:8: Invalid value for int: a whole number of 64 bits is needed, not 1.5."},
		"large int":         {"config {\n int = 18446744073709551615\n}", "a whole number of 64 bits is needed"},
		"huge int":          {"config {\n int = 1e999999999\n}", "a whole number of 64 bits is needed, not +Inf."},
		"below":             {"config {\n int = 0\n}", "7:8: Invalid value for int: it is less than 1."},
		"above":             {"config {\n ratio = 1.5\n}", "7:10: Invalid value for ratio: it is more than 1."},
		"short":             {"config {\n every = \"1ms\"\n}", `it is less than "1s"`},
		"number for time":   {"config {\n every = 5\n}", `a time in quotes with its unit, such as "15s", is needed, not number`},
		"no size":           {"config {\n size = \"64 apples\"\n}", `"64 apples" is not an amount of bytes`},
		"large size":        {"config {\n size = \"99999999TiB\"\n}", "is not an amount of bytes"},
		"enum":              {"config {\n mode = \"spred\"\n}", `"spred" is not one of "pack", "spread"; did you mean "spread"?`},
		"pattern":           {"config {\n text = \"A\"\n}", "it does not match [a-z]+"},
		"null":              {"config {\n text = null\n}", "7:9: Invalid value for text: null is not a value; leave it out instead."},
		"element":           {"config {\n list = [1, \"x\"]\n}", "7:13: Invalid value for list: a whole number is needed, not string."},
		"elements":          {"config {\n list = [1, 2, 3, 4]\n}", "it is more than 3"},
		"entry":             {"config {\n map = { a = \"1s\", b = 7 }\n}", "7:24: Invalid value for map"},
		"member":            {"config {\n object = { nam = \"n\" }\n}", `7:13: Invalid value for object: the object has no member "nam"; did you mean "name"?`},
		"missing member":    {"config {\n object = {}\n}", `the object needs a member "name"`},
		"missing in block":  {"config {\n single {\n }\n}", `7:9: Missing required argument: The argument "name" is required`},
		"too many blocks":   {"config {\n rule { name = \"a\" }\n rule { name = \"b\" }\n rule { name = \"c\" }\n}", "9:2: Too many blocks: There can be 2 rule block(s) here."},
		"two of single":     {"config {\n single { name = \"a\" }\n single { name = \"b\" }\n}", "8:2: Too many blocks"},
		"a label twice":     {"config {\n labelled \"z\" { name = \"a\" }\n labelled \"z\" { name = \"b\" }\n}", `8:11: Duplicate block: labelled "z" is there already.`},
		"no label":          {"config {\n labelled { name = \"a\" }\n}", "Missing zone for labelled"},
		"a variable":        {"config {\n text = name\n}", "7:9: Variables not allowed"},
		"a secret":          {"config {\n secret = \"hunter2\"\n}", "7:11: Invalid value for secret: It does not fit a string; it is not shown, being a secret."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := plugin(t, c.config).JSON(everything())
			var wrong *Error
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}

// TestMissingConfigBlock names the plugin's block when the config block is what is missing.
func TestMissingConfigBlock(t *testing.T) {
	t.Parallel()
	schema := &pluginv1.Block{Attributes: []*pluginv1.Attribute{attribute("name", typed(pluginv1.Kind_KIND_STRING), required)}}
	_, err := plugin(t, "").JSON(schema)
	if err == nil || !strings.Contains(err.Error(), `good.hcl:5:1: Missing required argument: The argument "name" is required`) {
		t.Errorf("got %v", err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := plugin(t, `config {
  text = "a"
  list = [
    1,
    2,
  ]
  map = {
    k = "v"
  }
  rule {
    name = "r1"
  }
  rule {
    name = "r2"
  }
  labelled "z" {
    name = "l"
  }
}`)
	attr := func(s string) *pluginv1.Step { return &pluginv1.Step{Step: &pluginv1.Step_Attribute{Attribute: s}} }
	index := func(i uint32) *pluginv1.Step { return &pluginv1.Step{Step: &pluginv1.Step_Index{Index: i}} }
	key := func(s string) *pluginv1.Step { return &pluginv1.Step{Step: &pluginv1.Step_Key{Key: s}} }
	label := func(s string) *pluginv1.Step { return &pluginv1.Step{Step: &pluginv1.Step_Label{Label: s}} }
	for place, path := range map[string][]*pluginv1.Step{
		":6:1:":   nil,
		":7:10:":  {attr("text")},
		":10:5:":  {attr("list"), index(1)},
		":13:9:":  {attr("map"), key("k")},
		":19:12:": {attr("rule"), index(1), attr("name")},
		":21:3:":  {attr("labelled"), label("z")},
		":22:12:": {attr("labelled"), label("z"), attr("name")},
	} {
		_, err := p.Explain(everything(), []*pluginv1.Diagnostic{{Severity: pluginv1.Severity_SEVERITY_ERROR, Path: path, Summary: "No good", Detail: "for a reason"}})
		if err == nil || !strings.Contains(err.Error(), "good.hcl"+place+" No good: for a reason\n") {
			t.Errorf("%v: got %v, want it at %s", path, err, place)
		}
	}
	// As far as the path leads.
	_, err := p.Explain(everything(), []*pluginv1.Diagnostic{{Path: []*pluginv1.Step{attr("list"), index(9)}, Summary: "No good"}})
	if err == nil || !strings.Contains(err.Error(), ":8:10: No good") {
		t.Errorf("got %v", err)
	}
}

// A warning is shown as an error is, and is none. What is secret is shown in neither.
func TestExplainWarnings(t *testing.T) {
	t.Parallel()
	p := plugin(t, "config {\n  text   = \"a\"\n  secret = \"12345\"\n}")
	at := func(severity pluginv1.Severity, name, summary string) *pluginv1.Diagnostic {
		return &pluginv1.Diagnostic{Severity: severity, Path: []*pluginv1.Step{{Step: &pluginv1.Step_Attribute{Attribute: name}}}, Summary: summary}
	}
	const warning, wrong = pluginv1.Severity_SEVERITY_WARNING, pluginv1.Severity_SEVERITY_ERROR
	warnings, err := p.Explain(everything(), []*pluginv1.Diagnostic{at(warning, "text", "Hm"), at(warning, "secret", "Short")})
	if err != nil || len(warnings) != 2 {
		t.Fatalf("%q, %v", warnings, err)
	}
	if !strings.Contains(warnings[0], "good.hcl:7:12: Hm: so says the plugin isolator \"p\"\n   7 |   text   = \"a\"\n     |            ^^^") {
		t.Errorf("got %q", warnings[0])
	}
	if !strings.Contains(warnings[1], "good.hcl:8:12: Short") || strings.Contains(warnings[1], "12345") {
		t.Errorf("got %q", warnings[1])
	}
	warnings, err = p.Explain(everything(), []*pluginv1.Diagnostic{at(warning, "text", "Hm"), at(wrong, "secret", "Too short")})
	if err == nil || len(warnings) != 1 || !strings.Contains(err.Error(), "good.hcl:8:12: Too short") || strings.Contains(err.Error(), "12345") || strings.Contains(err.Error(), "Hm") {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	if err := CheckSchema(everything()); err != nil {
		t.Fatal(err)
	}
	deep := &pluginv1.Block{}
	for range 20 {
		deep = &pluginv1.Block{Blocks: []*pluginv1.BlockType{{Name: "b", Nesting: pluginv1.Nesting_NESTING_SINGLE, Block: deep}}}
	}
	str := typed(pluginv1.Kind_KIND_STRING)
	one := func(a *pluginv1.Attribute) *pluginv1.Block {
		return &pluginv1.Block{Attributes: []*pluginv1.Attribute{a}}
	}
	for name, schema := range map[string]*pluginv1.Block{
		"deep":             deep,
		"upper case":       one(attribute("Name", str)),
		"twice":            {Attributes: []*pluginv1.Attribute{attribute("a", str), attribute("a", str)}},
		"no type":          one(attribute("a", nil)),
		"list of nothing":  one(attribute("a", typed(pluginv1.Kind_KIND_LIST))),
		"empty enum":       one(attribute("a", typed(pluginv1.Kind_KIND_ENUM))),
		"unknown kind":     one(attribute("a", typed(99))),
		"unknown nesting":  {Blocks: []*pluginv1.BlockType{{Name: "b", Nesting: 9}}},
		"bad pattern":      one(attribute("a", str, func(a *pluginv1.Attribute) { a.Pattern = "(" })),
		"default no JSON":  one(attribute("a", str, byDefault("x"))),
		"default of int":   one(attribute("a", typed(pluginv1.Kind_KIND_INT), byDefault("5"))),
		"default required": one(attribute("a", str, required, byDefault(`"x"`))),
		"default null":     one(attribute("a", str, byDefault("null"))),
		"default list":     one(attribute("a", &pluginv1.Type{Kind: pluginv1.Kind_KIND_LIST, Element: str}, byDefault("[1]"))),
	} {
		if err := CheckSchema(schema); err == nil {
			t.Errorf("%s: the schema is taken", name)
		}
	}
	if _, err := plugin(t, "").JSON(deep); err == nil || !strings.Contains(err.Error(), `isolator "p" gives a wrong schema`) {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	got := Describe("isolator", "p", everything())
	for _, want := range []string{
		"plugin \"isolator\" \"p\" {\n  config {\n",
		"    # About every.\n    # duration; at least \"1s\"\n    # every = \"1m30s\"\n",
		"    # size = \"64MiB\"\n",
		"    # one of \"pack\", \"spread\"\n    # mode = \"pack\"\n",
		"    # list of whole number; at most 3\n",
		"    # a secret\n",
		"    # One.\n    # block; at most one\n    # single {\n",
		"      # string; required\n      # name = ...\n",
		"    # labelled \"ZONE\" {\n",
	} {
		if !strings.Contains(got, strings.ReplaceAll(want, "# a secret", "# string; matches [0-9]+; a secret")) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	// What is written there, with the blanks filled in, is a configuration that the schema takes.
	filled := strings.ReplaceAll(got, "= ...", "= \"x\"")
	s, err := Load(write(t, "good.hcl", "agent {\n work_dir = \"/x\"\n masters = [\"a:1\"]\n}\n"+filled))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plugins[0].JSON(everything()); err != nil {
		t.Error(err)
	}
	if got := Describe("isolator", "p", &pluginv1.Block{}); got != "plugin \"isolator\" \"p\" {\n}\n" {
		t.Errorf("got %q", got)
	}
}

// FuzzPluginJSON: whatever stands in a config block, it ends in JSON or in an error.
func FuzzPluginJSON(f *testing.F) {
	f.Add("int = 5\nmap = { a = \"1s\" }\nrule {\n name = \"x\"\n}")
	f.Add("object = { name = \"n\", weight = [1] }\nlist = [[1]]")
	f.Add("secret = 5\nsize = \"-1\"\nratio = 1e999")
	f.Fuzz(func(t *testing.T, body string) {
		r := &reader{settings: &Settings{Files: []string{"f.hcl"}}, sources: map[string][]byte{}}
		r.read("f.hcl", []byte("plugin \"isolator\" \"p\" {\nconfig {\n"+body+"\n}\n}\n"))
		if r.diags.HasErrors() || len(r.settings.Plugins) != 1 {
			return
		}
		out, err := r.settings.Plugins[0].JSON(everything())
		if err == nil && !strings.HasPrefix(string(out), "{") {
			t.Errorf("%q gives %q", body, out)
		}
	})
}
