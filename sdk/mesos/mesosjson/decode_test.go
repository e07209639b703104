package mesosjson_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/executor"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func TestInputIsTolerated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		into proto.Message
		want string
	}{
		"white space":                  {" {\r\n\t\"type\" :\n\"DECLINE\" , \"decline\":{ \"offer_ids\" : [ ] } } \n", new(scheduler.Call), `{"type":"DECLINE","decline":{}}`},
		"unknown fields":               {`{"x":{"a":[1,{"b":null}],"c":"d"},"type":"REVIVE","y":-1.5e3,"z":true}`, new(scheduler.Call), `{"type":"REVIVE"}`},
		"unknown enum name":            {`{"type":"NO_SUCH_CALL"}`, new(scheduler.Call), `{}`},
		"lower-case enum name":         {`{"type":"revive"}`, new(scheduler.Call), `{}`},
		"null for any field":           {`{"type":null,"framework_id":null,"decline":{"offer_ids":null,"filters":{"refuse_seconds":null}}}`, new(scheduler.Call), `{"decline":{"filters":{}}}`},
		"null among elements":          {`{"revive":{"roles":["a",null,"b"]}}`, new(scheduler.Call), `{"revive":{"roles":["a","b"]}}`},
		"one value for a repeated one": {`{"revive":{"roles":"a"},"decline":{"offer_ids":{"value":"o"}}}`, new(scheduler.Call), `{"decline":{"offer_ids":[{"value":"o"}]},"revive":{"roles":["a"]}}`},
		"the last of a name counts":    {`{"revive":{"roles":["a"]},"revive":{"roles":["b"]},"type":"REVIVE","type":"SUPPRESS"}`, new(scheduler.Call), `{"type":"SUPPRESS","revive":{"roles":["b"]}}`},
		"null after a value":           {`{"type":"REVIVE","type":null}`, new(scheduler.Call), `{}`},
		"64-bit integers as strings":   {`{"nanoseconds":"1795233158917677568"}`, new(mesos.TimeInfo), `{"nanoseconds":1795233158917677568}`},
		"negative one as a string":     {`{"nanoseconds":"-5"}`, new(mesos.TimeInfo), `{"nanoseconds":-5}`},
		"least int64":                  {`{"nanoseconds":-9223372036854775808}`, new(mesos.TimeInfo), `{"nanoseconds":-9223372036854775808}`},
		"greatest uint64":              {`{"begin":0,"end":18446744073709551615}`, new(mesos.Value_Range), `{"begin":0,"end":18446744073709551615}`},
		"uint64 as a string":           {`{"begin":"-0","end":"18446744073709551615"}`, new(mesos.Value_Range), `{"begin":0,"end":18446744073709551615}`},
		"float for an integer":         {`{"nanoseconds":3.6e+06}`, new(mesos.TimeInfo), `{"nanoseconds":3600000}`},
		"integer with a zero fraction": {`{"nanoseconds":1795233158917677569.0}`, new(mesos.TimeInfo), `{"nanoseconds":1795233158917677569}`},
		"fraction of an integer":       {`{"port":5051.9}`, new(mesos.Address), `{"port":5051}`},
		"integer for a double":         {`{"value":64}`, new(mesos.Value_Scalar), `{"value":64.0}`},
		"infinity":                     {`{"value":"Infinity"}`, new(mesos.Value_Scalar), `{"value":"Infinity"}`},
		"less than everything":         {`{"value":"-Infinity"}`, new(mesos.Value_Scalar), `{"value":"-Infinity"}`},
		"base64":                       {`{"value":"/+8="}`, new(mesos.UUID), `{"value":"/+8="}`},
		"escapes":                      {`{"va\u006cue":"a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"}`, new(mesos.TaskID), `{"value":"a\"\\/\b\f\n\r\té😀"}`},
		"a map":                        {`{"offer_constraints":{"role_constraints":{"b":{"groups":[]},"a":{},"c":null}},"framework_info":{"name":"","user":""}}`, new(scheduler.Call_Subscribe), `{"framework_info":{"user":"","name":""},"offer_constraints":{"role_constraints":{"a":{},"b":{}}}}`},
		"a map of strings":             {`{"volume_id":"v","volume_capability":{"access_mode":{"mode":"SINGLE_NODE_WRITER"}},"volume_context":{"k":"v","n":null}}`, new(mesos.Volume_Source_CSIVolume_StaticProvisioning), `{"volume_id":"v","volume_capability":{"access_mode":{"mode":"SINGLE_NODE_WRITER"}},"volume_context":{"k":"v"}}`},
		"duration":                     {`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"S0"},"max_grace_period":{"seconds":"600","nanos":5,"x":1}}}`, new(master.Call), `{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"S0"},"max_grace_period":{"seconds":600,"nanos":5}}}`},
		"either of a oneof":            {`{"attribute_name":"rack"}`, new(scheduler.AttributeConstraint_Selector), `{"attribute_name":"rack"}`},
		"an enum in a oneof":           {`{"pseudoattribute_type":"HOSTNAME","attribute_name":null}`, new(scheduler.AttributeConstraint_Selector), `{"pseudoattribute_type":"HOSTNAME"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := mesosjson.Unmarshal([]byte(tc.in), tc.into); err != nil {
				t.Fatal(err)
			}
			if got, err := mesosjson.Marshal(tc.into); err != nil || string(got) != tc.want {
				t.Fatalf("got %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func TestUnmarshalReplacesWhatWasThere(t *testing.T) {
	t.Parallel()
	m := &mesos.Address{Hostname: proto.String("old"), Port: proto.Int32(1)}
	if err := mesosjson.Unmarshal([]byte(`{"port":2}`), m); err != nil {
		t.Fatal(err)
	}
	if m.Hostname != nil || m.GetPort() != 2 {
		t.Errorf("got %v", m)
	}
}

func TestNaNIsPassedOn(t *testing.T) {
	t.Parallel()
	var m mesos.Value_Scalar
	if err := mesosjson.Unmarshal([]byte(`{"value":"NaN"}`), &m); err != nil || !math.IsNaN(m.GetValue()) {
		t.Fatalf("%v, %v", m.GetValue(), err)
	}
	if got, err := mesosjson.Marshal(&m); err != nil || string(got) != `{"value":"NaN"}` {
		t.Fatalf("%s, %v", got, err)
	}
}

func TestTextsThatAreNotJSON(t *testing.T) {
	t.Parallel()
	const intro = "syntax error at line "
	for in, want := range map[string]string{
		``:                              `1 near: `,
		`{"type": "SUBSCRIBE", `:        `1 near: `,
		`{`:                             `1 near: `,
		"{\n\"type\"\n\"x\"}\n":         `3 near: "x"}`,
		`{"type" 1}`:                    `1 near: 1}`,
		`{type:1}`:                      `1 near: type:1}`,
		`{"type":"REVIVE"} x`:           `1 near: x`,
		`{"type":"REVIVE",}`:            `1 near: }`,
		`{"revive":{"roles":["a",]}}`:   `1 near: ]}}`,
		`{"revive":{"roles":["a" "b"]}`: `1 near: "b"]}`,
		`{"type":tru}`:                  `1 near: tru}`,
		`{"x":nul}`:                     `1 near: nul}`,
		`{"x":01}`:                      `1 near: 01}`,
		`{"x":-}`:                       `1 near: }`,
		`{"x":1.}`:                      `1 near: }`,
		`{"x":1e+}`:                     `1 near: }`,
		`{"x":+1}`:                      `1 near: +1}`,
		`{"x":Infinity}`:                `1 near: Infinity}`,
		`{"x":"\x"}`:                    `1 near: \x"} (invalid escape)`,
		`{"x":"\ud800"}`:                `1 near: \ud800"} (invalid escape)`,
		`{"x":"\ud800\u0041"}`:          `1 near: \ud800\u0041"} (invalid escape)`,
		`{"x":"\u00g0"}`:                `1 near: \u00g0"} (invalid escape)`,
		"{\"x\":\"a\xff\"}":             "1 near: \ufffd\"} (not UTF-8)",
		"{\"x\":\"a\x01\"}":             "1 near: \x01\"} (control character in a string)",
		"{\"x\":\"\\n\x01\"}":           "1 near: \x01\"} (control character in a string)",
		"{\"x\":\"\\n":                  "1 near: ",
		"{}\x00":                        "1 near: \x00",
		`["a"`:                          `1 near: `,
		`{"type":5, "x" 1}`:             `1 near: 1}`,
		"{} " + strings.Repeat("y", 99): `1 near: ` + strings.Repeat("y", 64),
	} {
		var syntax *mesosjson.SyntaxError
		err := mesosjson.Unmarshal([]byte(in), new(scheduler.Call))
		if !errors.As(err, &syntax) || err.Error() != intro+want {
			t.Errorf("%s: error %v, want %s%s", in, err, intro, want)
		}
	}
}

func TestJSONThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"x"`:                                 `Expecting a JSON object`,
		`[]`:                                  `Expecting a JSON object`,
		`null`:                                `Expecting a JSON object`,
		`{"type":1}`:                          `Not expecting a JSON number for field 'type'`,
		`{"framework_id":"x"}`:                `Not expecting a JSON string for field 'framework_id'`,
		`{"framework_id":[]}`:                 `Not expecting a JSON array for field 'framework_id'`,
		`{"framework_id":{"value":{}}}`:       `Not expecting a JSON object for field 'framework_id.value'`,
		`{"kill":{"task_id":{"value":true}}}`: `Not expecting a JSON boolean for field 'kill.task_id.value'`,
		`{"suppress":{"roles":["a",1]}}`:      `Not expecting a JSON number for field 'suppress.roles'`,
		`{"suppress":{"roles":[["a"]]}}`:      `Not expecting a JSON array for field 'suppress.roles'`,
		`{"decline":{"offer_ids":[{"value":"o"},1]}}`:                                   `Not expecting a JSON number for field 'decline.offer_ids'`,
		`{"decline":{"offer_ids":[{},{"value":1}]}}`:                                    `Not expecting a JSON number for field 'decline.offer_ids[1].value'`,
		`{"decline":{"filters":{"refuse_seconds":"5"}}}`:                                `Not expecting a JSON string for field 'decline.filters.refuse_seconds'`,
		`{"decline":{"filters":{"refuse_seconds":1e999}}}`:                              `Number out of range for field 'decline.filters.refuse_seconds'`,
		`{"acknowledge":{"uuid":"%%"}}`:                                                 `Expecting base64 for field 'acknowledge.uuid'`,
		`{"acknowledge":{"uuid":"YQ"}}`:                                                 `Expecting base64 for field 'acknowledge.uuid'`,
		`{"acknowledge":{"uuid":1}}`:                                                    `Not expecting a JSON number for field 'acknowledge.uuid'`,
		`{"subscribe":{"framework_info":{"checkpoint":"true"}}}`:                        `Not expecting a JSON string for field 'subscribe.framework_info.checkpoint'`,
		`{"subscribe":{"offer_constraints":{"role_constraints":[]}}}`:                   `Not expecting a JSON array for field 'subscribe.offer_constraints.role_constraints'`,
		`{"subscribe":{"offer_constraints":{"role_constraints":{"r":{"groups":[1]}}}}}`: `Not expecting a JSON number for field 'subscribe.offer_constraints.role_constraints[r].groups'`,
	} {
		var conversion *mesosjson.ConversionError
		err := mesosjson.Unmarshal([]byte(in), new(scheduler.Call))
		if !errors.As(err, &conversion) || err.Error() != want {
			t.Errorf("%s: error %v, want %s", in, err, want)
		}
		if conversion != nil && conversion.Path != "" && !strings.HasSuffix(want, "'"+conversion.Path+"'") {
			t.Errorf("%s: path %s", in, conversion.Path)
		}
	}
}

func TestIntegersOutOfRange(t *testing.T) {
	t.Parallel()
	for in, m := range map[string]proto.Message{
		`{"nanoseconds":9223372036854775808}`:     new(mesos.TimeInfo),
		`{"nanoseconds":-9223372036854775809}`:    new(mesos.TimeInfo),
		`{"nanoseconds":9.223372036854775808e18}`: new(mesos.TimeInfo),
		`{"nanoseconds":"9223372036854775808"}`:   new(mesos.TimeInfo),
		`{"nanoseconds":1e400}`:                   new(mesos.TimeInfo),
		`{"port":2147483648}`:                     new(mesos.Address),
		`{"port":-2147483649}`:                    new(mesos.Address),
		`{"port":2.2e9}`:                          new(mesos.Address),
		`{"begin":-1}`:                            new(mesos.Value_Range),
		`{"begin":-1.5}`:                          new(mesos.Value_Range),
		`{"begin":18446744073709551616}`:          new(mesos.Value_Range),
		`{"begin":1.8446744073709551616e19}`:      new(mesos.Value_Range),
		`{"number":4294967296}`:                   new(mesos.Port),
	} {
		if err := mesosjson.Unmarshal([]byte(in), m); err == nil || !strings.HasPrefix(err.Error(), "Number out of range for field '") {
			t.Errorf("%s: %v", in, err)
		}
	}
	for in, m := range map[string]proto.Message{
		`{"nanoseconds":"1.5"}`: new(mesos.TimeInfo),
		`{"nanoseconds":""}`:    new(mesos.TimeInfo),
		`{"nanoseconds":"-"}`:   new(mesos.TimeInfo),
		`{"port":"5051"}`:       new(mesos.Address),
		`{"number":"80"}`:       new(mesos.Port),
	} {
		if err := mesosjson.Unmarshal([]byte(in), m); err == nil || !strings.HasPrefix(err.Error(), "Not expecting a JSON string for field '") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestMissingRequiredFieldsAreListed(t *testing.T) {
	t.Parallel()
	for in, tc := range map[string]struct {
		into proto.Message
		want string
	}{
		`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root"}}}`: {new(scheduler.Call), "subscribe.framework_info.name"},
		`{"type":"UPDATE"}`:                                     {new(executor.Call), "executor_id, framework_id"},
		`{"update":{"status":{}},"executor_id":{}}`:             {new(executor.Call), "framework_id, executor_id.value, update.status.task_id, update.status.state"},
		`{"decline":{"offer_ids":[{"value":"a"},{}]}}`:          {new(scheduler.Call), "decline.offer_ids[1].value"},
		`{"quota_configs":[{"role":"r","limits":{"cpus":{}}}]}`: {new(master.Call_UpdateQuota), "quota_configs[0].limits[cpus].value"},
		`{"state":"NO_SUCH_STATE","task_id":{"value":"t"}}`:     {new(mesos.TaskStatus), "state"},
	} {
		var missing *mesosjson.MissingError
		err := mesosjson.Unmarshal([]byte(in), tc.into)
		if !errors.As(err, &missing) || err.Error() != "Missing required fields: "+tc.want {
			t.Errorf("%s: %v, want %s", in, err, tc.want)
		}
	}
	many := `{"decline":{"offer_ids":[` + strings.TrimSuffix(strings.Repeat("{},", 5000), ",") + `]}}`
	var missing *mesosjson.MissingError
	if err := mesosjson.Unmarshal([]byte(many), new(scheduler.Call)); !errors.As(err, &missing) || len(missing.Fields) != 100 {
		t.Errorf("%.200v", err)
	}
}

func TestHostileInputIsBounded(t *testing.T) {
	t.Parallel()
	deep := func(n int) []byte {
		return []byte(strings.Repeat(`{"parent":`, n) + `{"value":"x"}` + strings.Repeat(`,"value":"x"}`, n))
	}
	if err := mesosjson.Unmarshal(deep(99), new(mesos.ContainerID)); err != nil {
		t.Errorf("100 levels: %v", err)
	}
	for name, data := range map[string][]byte{
		"known fields":  deep(100),
		"unknown ones":  []byte(`{"x":` + strings.Repeat("[", 1<<20)),
		"in between":    []byte(`{"x":` + strings.Repeat(`{"a":[`, 1<<20)),
		"not an object": bytes.Repeat([]byte("["), 1<<20),
	} {
		if err := mesosjson.Unmarshal(data, new(mesos.ContainerID)); err == nil || err.Error() != "Nested deeper than 100" {
			t.Errorf("%s: %.100v", name, err)
		}
	}
	limits := mesosjson.Limits{Bytes: 1000, Messages: 10}
	ids := slices.Repeat([]string{`{"value":"o"}`}, 10)
	if err := limits.Unmarshal([]byte(`{"offer_ids":[`+strings.Join(ids, ",")+`]}`), new(scheduler.Call_Decline)); err != nil {
		t.Errorf("ten messages: %v", err)
	}
	ids = append(ids, ids[0])
	if err := limits.Unmarshal([]byte(`{"offer_ids":[`+strings.Join(ids, ",")+`]}`), new(scheduler.Call_Decline)); err == nil || err.Error() != "More than 10 messages" {
		t.Errorf("eleven messages: %v", err)
	}
	if err := limits.Unmarshal([]byte(`{"roles":[`+strings.Repeat(`"a",`, 10)+`"a"]}`), new(scheduler.Call_Revive)); err == nil || err.Error() != "More than 10 messages" {
		t.Errorf("eleven strings: %v", err)
	}
	if err := limits.Unmarshal(bytes.Repeat([]byte(" "), 1001), new(scheduler.Call)); err == nil || err.Error() != "Text of 1001 bytes, at most 1000" {
		t.Errorf("1001 bytes: %v", err)
	}
}
