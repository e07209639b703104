package schema

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/mezzo-cluster/mezzo/sdk"
	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

type inner struct {
	Name  string `config:"name,required" pattern:"[a-z]+" doc:"A name."`
	Count int8   `config:"count" default:"-3" min:"-5" max:"100"`
}

type common struct {
	Verbose bool `config:"verbose" default:"true"`
}

type all struct {
	common
	Text     string             `config:"text,sensitive" default:"a \"b\""`
	Level    string             `config:"level" enum:"low,high" default:"low"`
	Number   float64            `config:"number" default:"0.5" min:"0" max:"1"`
	Wait     time.Duration      `config:"wait" default:"1m30s" min:"1s"`
	Size     sdk.Bytes          `config:"size" default:"1.5KiB" max:"1GiB"`
	Port     *uint16            `config:"port"`
	List     []string           `config:"list" default:"[\"x\"]" min:"1" max:"2"`
	Map      map[string]int     `config:"map"`
	Modes    []string           `config:"modes" enum:"a,b"`
	Object   inner              `config:"object,object"`
	Objects  []map[string]inner `config:"objects"`
	Block    inner              `config:"block"`
	Optional *inner             `config:"optional"`
	Blocks   []inner            `config:"blocks,required" max:"3"`
	Pools    map[string]*inner  `config:"pool" label:"pool"`
	Ignored  chan int           `config:"-"`
}

func derive(t *testing.T) *pluginv1.Block {
	t.Helper()
	b, err := Derive(reflect.TypeFor[all]())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDerive(t *testing.T) {
	t.Parallel()
	b := derive(t)
	var got []string
	for _, a := range b.GetAttributes() {
		got = append(got, fmt.Sprintf("%s %s default=%s min=%s max=%s", a.GetName(), kindName(a.GetType().GetKind()), a.GetDefaultJson(), a.GetMinJson(), a.GetMaxJson()))
	}
	for _, x := range b.GetBlocks() {
		got = append(got, fmt.Sprintf("%s %s %d-%d %s", x.GetName(), x.GetNesting(), x.GetMinItems(), x.GetMaxItems(), x.GetLabel()))
	}
	want := `verbose bool default=true min= max=
text string default="a \"b\"" min= max=
level enum default="low" min= max=
number number default=0.5 min=0 max=1
wait duration default="90000000000" min="1000000000" max=
size bytes default="1536" min= max="1073741824"
port int default= min="0" max="65535"
list list default=["x"] min=1 max=2
map map default= min= max=
modes list default= min= max=
object object default= min= max=
objects list default= min= max=
block NESTING_SINGLE 0-0 
optional NESTING_SINGLE 0-0 
blocks NESTING_LIST 1-3 
pool NESTING_LABELLED 0-0 pool`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("derived\n%s\nwant\n%s", text, want)
	}
	name := b.GetBlocks()[0].GetBlock().GetAttributes()[0]
	if !name.GetRequired() || name.GetPattern() != "[a-z]+" || name.GetDoc() != "A name." {
		t.Errorf("derived %s", prototext.Format(name))
	}
	if modes := b.GetAttributes()[9].GetType().GetElement(); modes.GetKind() != pluginv1.Kind_KIND_ENUM || len(modes.GetValues()) != 2 {
		t.Errorf("derived %s", prototext.Format(modes))
	}
}

type recursive struct {
	Again []recursive `config:"again"`
}

func TestDeriveMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config any
		want   string
	}{
		{7, "configuration is a int"},
		{struct{ A int }{}, "has no config tag"},
		{struct {
			A int `config:"Aa"`
		}{}, "not lower case"},
		{struct {
			A int `config:"a,optional"`
		}{}, `unknown option "optional"`},
		{struct {
			A int `config:"a"`
			B int `config:"a"`
		}{}, `two fields "a"`},
		{struct {
			a int `config:"a"`
		}{}, "not exported"},
		{struct {
			A chan int `config:"a"`
		}{}, "no value of a configuration"},
		{struct {
			A map[int]string `config:"a"`
		}{}, "keys are strings"},
		{struct {
			A int `config:"a" default:"x"`
		}{}, "not a whole number"},
		{struct {
			A int `config:"a" default:"5" max:"4"`
		}{}, "more than the most"},
		{struct {
			A int `config:"a,required" default:"5"`
		}{}, "required has no default"},
		{struct {
			A string `config:"a" enum:"x,y" default:"z"`
		}{}, `"z" is none of x, y`},
		{struct {
			A string `config:"a" pattern:"["`
		}{}, "missing closing"},
		{struct {
			A int `config:"a" pattern:"x"`
		}{}, "pattern is for a string"},
		{struct {
			A string `config:"a" min:"1"`
		}{}, "min is not for a string"},
		{struct {
			A inner `config:"a" default:"x"`
		}{}, "are for attributes"},
		{recursive{}, "contains itself"},
		{struct {
			A int `config:"a" min:"5" max:"1"`
		}{}, "min 5 is more than max 1"},
		{struct {
			A []string `config:"a" min:"10" max:"9"`
		}{}, "min 10 is more than max 9"},
		{struct {
			A []struct {
				B string `config:"b"`
			} `config:"a" min:"3" max:"2"`
		}{}, `block "a": min 3 is more than max 2`},
		{struct {
			A int8 `config:"a" default:"300"`
		}{}, `default "300"`},
		{struct {
			A uint `config:"a" default:"-1"`
		}{}, `default "-1"`},
		{struct {
			A time.Time `config:"a"`
		}{}, "a time.Time is no value of a configuration"},
		{struct {
			A *time.Time `config:"a,object"`
		}{}, "a time.Time is no value of a configuration"},
	} {
		_, err := Derive(reflect.TypeOf(c.config))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %s", c.config, err, c.want)
		}
	}
}

func TestDecodeDefaults(t *testing.T) {
	t.Parallel()
	var c all
	data := []byte(`{"blocks": [{"name": "x"}]}`)
	if p := append(Check(derive(t), data), Decode(data, &c)...); len(p) > 0 {
		t.Fatalf("problems: %+v", p)
	}
	want := all{
		common: common{Verbose: true}, Text: `a "b"`, Level: "low", Number: 0.5, Wait: 90 * time.Second, Size: 1536, List: []string{"x"},
		Block: inner{Count: -3}, Blocks: []inner{{Name: "x", Count: -3}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("decoded %+v\nwant    %+v", c, want)
	}
}

func TestDecodeAll(t *testing.T) {
	t.Parallel()
	data := []byte(`{
		"verbose": false, "text": "t", "level": "high", "number": 1, "wait": "2000000000", "size": "7", "port": "65535",
		"list": ["a", "b"], "map": {"k": "1"}, "modes": ["b"], "object": {"name": "o"}, "objects": [{"k": {"name": "p", "count": "1"}}],
		"block": {"name": "q"}, "optional": {"name": "r"}, "blocks": [{"name": "s"}], "pool": {"l": {"name": "t", "count": "100"}}
	}`)
	var c *all
	if p := append(Check(derive(t), data), Decode(data, &c)...); len(p) > 0 {
		t.Fatalf("problems: %+v", p)
	}
	port := uint16(65535)
	want := &all{
		Text: "t", Level: "high", Number: 1, Wait: 2 * time.Second, Size: 7, Port: &port, List: []string{"a", "b"},
		Map: map[string]int{"k": 1}, Modes: []string{"b"}, Object: inner{"o", -3}, Objects: []map[string]inner{{"k": {"p", 1}}},
		Block: inner{"q", -3}, Optional: &inner{"r", -3}, Blocks: []inner{{"s", -3}}, Pools: map[string]*inner{"l": {"t", 100}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("decoded %+v\nwant    %+v", c, want)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, path, want string }{
		{`7`, "", "expected an object"},
		{`null`, "", "expected an object"},
		{`{}`, "attribute:blocks", "is required"},
		{`{"blocks": []}`, "attribute:blocks", "at least 1"},
		{`{"blocks": {}}`, "attribute:blocks", "expected an array"},
		{`{"blocks": [{"name": "x"}, {"name": "x"}, {"name": "x"}, {"name": "x"}]}`, "attribute:blocks", "at most 3"},
		{`{"blocks": [{"name": "X"}]}`, "attribute:blocks index:0 attribute:name", "does not match"},
		{`{"blocks": [{"name": "x", "nam": 1}]}`, "attribute:blocks index:0 attribute:nam", "no attribute or block"},
		{`{"pool": {"l": {"name": "x", "count": "101"}}}`, "attribute:pool label:l attribute:count", "more than"},
		{`{"pool": []}`, "attribute:pool", "expected an object"},
		{`{"list": []}`, "attribute:list", "less than"},
		{`{"list": ["x", 1]}`, "attribute:list index:1", "expected a string"},
		{`{"modes": ["c"]}`, "attribute:modes index:0", "none of a, b"},
		{`{"map": {"k": 1}}`, "attribute:map key:k", "expected a string"},
		{`{"map": {"k": null}}`, "attribute:map key:k", "null is no value"},
		{`{"objects": [{"k": {"name": "x", "count": "x"}}]}`, "attribute:objects index:0 key:k attribute:count", "whole number"},
		{`{"objects": [{"k": {}}]}`, "attribute:objects index:0 key:k attribute:name", "is required"},
		{`{"verbose": "true"}`, "attribute:verbose", "expected true or false"},
		{`{"number": "1"}`, "attribute:number", "expected a number"},
		{`{"number": 2}`, "attribute:number", "more than"},
		{`{"wait": "999999999"}`, "attribute:wait", "less than"},
		{`{"port": "65536"}`, "attribute:port", "65536 is more than the most, 65535"},
		{`{"port": "-1"}`, "attribute:port", "-1 is less than the least, 0"},
		{`{"block": {"name": "x", "count": "99999999999999999999"}}`, "attribute:block attribute:count", "64 bits"},
	} {
		b := derive(t)
		data := c.data
		if strings.HasPrefix(data, "{\"") && !strings.Contains(data, `"blocks"`) {
			data = `{"blocks": [{"name": "x"}], ` + data[1:]
		}
		problems := Check(b, []byte(data))
		if len(problems) == 0 {
			var out all
			problems = Decode([]byte(data), &out)
		}
		if len(problems) != 1 || !strings.Contains(problems[0].Err.Error(), c.want) || stepsText(Resolve(b, problems[0].Path)) != c.path {
			t.Errorf("%s: %+v, want %s: %s", c.data, problems, c.path, c.want)
		}
	}
}

func stepsText(steps []*pluginv1.Step) string {
	var out []string
	for _, s := range steps {
		switch s := s.GetStep().(type) {
		case *pluginv1.Step_Attribute:
			out = append(out, "attribute:"+s.Attribute)
		case *pluginv1.Step_Index:
			out = append(out, fmt.Sprint("index:", s.Index))
		case *pluginv1.Step_Key:
			out = append(out, "key:"+s.Key)
		case *pluginv1.Step_Label:
			out = append(out, "label:"+s.Label)
		}
	}
	return strings.Join(out, " ")
}

func TestResolveStops(t *testing.T) {
	t.Parallel()
	b := derive(t)
	for _, c := range []struct {
		path []any
		want string
	}{
		{[]any{"nothing", "more"}, "attribute:nothing"},
		{[]any{"blocks", "x", "name"}, "attribute:blocks"},
		{[]any{"list", "x"}, "attribute:list"},
		{[]any{"text", "x"}, "attribute:text"},
		{[]any{"object", "count"}, "attribute:object attribute:count"},
		{nil, ""},
	} {
		if got := stepsText(Resolve(b, c.path)); got != c.want {
			t.Errorf("%v: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "1KiB": 1024, "1.5 MiB": 3 << 19, "2GB": 2e9, "8388607TiB": 8388607 << 40,
		"-1": -1, "x": -1, "": -1, "1.5": -1, "0.3KiB": -1, "8388608TiB": -1, "1e30": -1, "NaN": -1, "Inf": -1, "1XB": -1,
	} {
		got, err := ParseBytes(text)
		if (err != nil) != (want < 0) || (err == nil && got != want) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// FuzzDecode checks that JSON of any kind is refused or decoded, and never a panic.
func FuzzDecode(f *testing.F) {
	b, err := Derive(reflect.TypeFor[all]())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"blocks": [{"name": "x"}], "pool": {"l": {"name": "t"}}, "wait": "5000000000"}`))
	f.Add([]byte(`{"blocks": [null], "objects": [{"k": 1}], "list": {}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		problems := Check(b, data)
		for _, p := range problems {
			Resolve(b, p.Path)
		}
		if len(problems) > 0 {
			return
		}
		var c all
		for _, p := range Decode(data, &c) {
			if !strings.Contains(p.Err.Error(), "out of range") && !strings.Contains(p.Err.Error(), "cannot hold") {
				t.Errorf("%s passed the check and cannot be decoded: %v", data, p.Err)
			}
		}
	})
}
