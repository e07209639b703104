package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mezzo-cluster/mezzo/host/config"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// question is a question to policies as flags have it.
type question struct {
	action, principal  string
	claims             map[string]string
	object, objectFile string
	set                []string
	role, user         string
}

// request makes sense of the flags. Its errors are usage errors, but for files that cannot be read.
func (q question) request(in io.Reader) (contract.Request, error) {
	info, err := q.actionInfo()
	if err != nil {
		return contract.Request{}, err
	}
	fields, err := q.fields(in)
	if err != nil {
		return contract.Request{}, err
	}
	for _, s := range slices.Concat(q.short(info.Object), q.set) {
		if err := setField(fields, info.Object, s); err != nil {
			return contract.Request{}, usageError{err}
		}
	}
	if err := checkFields("", info.Object, fields); err != nil {
		return contract.Request{}, usageError{err}
	}
	return contract.Request{
		Subject: contract.Subject{Principal: q.principal, Claims: q.claims, Authenticated: q.principal != "" || len(q.claims) > 0},
		Action:  info.Action, Objects: []contract.Object{{Kind: info.Object, Fields: fields}},
	}, nil
}

// actionInfo finds the action, whose name Mesos writes in capitals, too.
func (q question) actionInfo() (contract.ActionInfo, error) {
	if q.action == "" {
		return contract.ActionInfo{}, usageError{errors.New("--action is needed, such as --action run_task; docs/security.md has the actions")}
	}
	name := strings.ToLower(q.action)
	info, ok := contract.ActionByName(name)
	if ok {
		return info, nil
	}
	var known []string
	for _, a := range contract.Actions() {
		known = append(known, string(a.Action))
	}
	return info, usageError{fmt.Errorf("--action: there is no action %q%s", q.action, config.Meant(name, known))}
}

// fields are those given as JSON.
func (q question) fields(in io.Reader) (map[string]any, error) {
	text, from := []byte(q.object), "--object"
	switch {
	case q.object != "" && q.objectFile != "":
		return nil, usageError{errors.New("--object and --object-file say the same thing twice")}
	case q.objectFile != "":
		from = "--object-file " + q.objectFile
		var err error
		if q.objectFile == "-" {
			text, err = io.ReadAll(in)
		} else {
			text, err = os.ReadFile(q.objectFile)
		}
		if err != nil {
			return nil, fmt.Errorf("read --object-file: %w", err)
		}
	case q.object == "":
		return map[string]any{}, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, usageError{fmt.Errorf("%s: not a JSON object: %w", from, err)}
	}
	if fields == nil {
		return nil, usageError{fmt.Errorf("%s: not a JSON object: null", from)}
	}
	return fields, nil
}

// short turns the flags for what most objects have into fields of the kind.
func (q question) short(kind contract.Kind) []string {
	var out []string
	if q.role != "" {
		name := "role"
		switch kind {
		case contract.RoleKind:
			name = "name"
		case contract.FrameworkKind:
			name = "roles"
		}
		out = append(out, name+"="+q.role)
	}
	if q.user != "" {
		out = append(out, "user="+q.user)
	}
	return out
}

// setField sets FIELD=VALUE, where FIELD is a path.
func setField(fields map[string]any, kind contract.Kind, set string) error {
	path, value, ok := strings.Cut(set, "=")
	if !ok || path == "" {
		return fmt.Errorf("--set %q is not FIELD=VALUE", set)
	}
	steps := strings.Split(path, ".")
	for i, step := range steps {
		f, err := fieldOf(kind, strings.Join(steps[:i], "."), step)
		if err != nil {
			return err
		}
		last := i == len(steps)-1
		switch {
		case f.Type == contract.FieldMap && !last:
			return put(fields, step, strings.Join(steps[i+1:], "."), value) // labels' keys may have dots
		case f.Type == contract.FieldObject && !last:
			inner, ok := fields[step].(map[string]any)
			if !ok {
				inner = map[string]any{}
				fields[step] = inner
			}
			fields, kind = inner, f.Kind
			continue
		case !last:
			return fmt.Errorf("--set %s: %s has the type %s, and no fields", set, step, f.Type)
		}
		fields[step], err = parseField(f, value)
		if err != nil {
			return fmt.Errorf("--set %s: %w", set, err)
		}
	}
	return nil
}

func put(fields map[string]any, name, key, value string) error {
	m, ok := fields[name].(map[string]any)
	if !ok {
		m = map[string]any{}
		fields[name] = m
	}
	m[key] = value
	return nil
}

// parseField turns a value's text into one of the field's type.
func parseField(f contract.FieldInfo, value string) (any, error) {
	switch f.Type {
	case contract.FieldNumber:
		return strconv.ParseFloat(value, 64)
	case contract.FieldBool:
		return strconv.ParseBool(value)
	case contract.FieldStrings:
		var out []any
		for s := range strings.SplitSeq(value, ",") {
			out = append(out, s)
		}
		return out, nil
	case contract.FieldMap, contract.FieldObject:
		return nil, fmt.Errorf("%s has the type %s; set what is in it, as %s.NAME=VALUE", f.Name, f.Type, f.Name)
	}
	return value, nil
}

// fieldOf is a field of a kind; at is where in the object that is.
func fieldOf(kind contract.Kind, at, name string) (contract.FieldInfo, error) {
	info, _ := contract.KindByName(kind)
	known := make([]string, 0, len(info.Fields))
	for _, f := range info.Fields {
		if f.Name == name {
			return f, nil
		}
		known = append(known, f.Name)
	}
	if at != "" {
		at += ": "
	}
	if len(known) == 0 {
		return contract.FieldInfo{}, fmt.Errorf("%s%s has no field %q, nor any other", at, info.Doc, name)
	}
	meant := config.Meant(name, known)
	if meant == "" {
		meant = "; it has " + strings.Join(known, ", ")
	}
	return contract.FieldInfo{}, fmt.Errorf("%s%s has no field %q%s", at, info.Doc, name, meant)
}

// checkFields makes sure that the object could be one that the host asks about: a field of another name would never be
// there, and a rule about it would seem to hold.
func checkFields(at string, kind contract.Kind, fields map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		f, err := fieldOf(kind, at, name)
		if err != nil {
			return err
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		if inner, ok := value.(map[string]any); ok && f.Type == contract.FieldObject {
			if err := checkFields(path, f.Kind, inner); err != nil {
				return err
			}
			continue
		}
		if !fits(f.Type, value) {
			return fmt.Errorf("%s has the type %s, which %v has not", path, f.Type, value)
		}
	}
	return nil
}

func fits(t contract.FieldType, value any) bool {
	isText := func(v any) bool { _, ok := v.(string); return ok }
	switch v := value.(type) {
	case string:
		return t == contract.FieldString
	case float64:
		return t == contract.FieldNumber
	case bool:
		return t == contract.FieldBool
	case []any:
		return t == contract.FieldStrings && !slices.ContainsFunc(v, func(x any) bool { return !isText(x) })
	case map[string]any:
		for _, x := range v {
			if !isText(x) {
				return false
			}
		}
		return t == contract.FieldMap
	}
	return false
}
