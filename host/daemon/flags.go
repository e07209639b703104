package daemon

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// flags shows settings as /flags does: names in snake_case, values as text. Settings that are structures of their
// own (TLS and authentication, which hold paths of files) are shown by their fields.
func flags(settings any) map[string]string {
	out := map[string]string{}
	addFlags(out, "", reflect.ValueOf(settings))
	return out
}

func addFlags(out map[string]string, prefix string, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue // where it stands, not what it says
		}
		name, field := prefix+snake(v.Type().Field(i).Name), v.Field(i)
		switch value := field.Interface().(type) {
		case time.Duration:
			out[name] = value.String()
		case map[string]string:
			// Variables may hold what is not for everybody's eyes.
			out[name] = fmt.Sprintf("%d variables", len(value))
		default:
			if k := field.Kind(); k == reflect.Pointer || k == reflect.Struct {
				addFlags(out, name+"_", field)
				continue
			}
			out[name] = fmt.Sprint(value)
		}
	}
}

// snake turns MaxAgentPingTimeouts into max_agent_ping_timeouts, and TLS into tls.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
