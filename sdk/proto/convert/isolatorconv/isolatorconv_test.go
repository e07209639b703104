package isolatorconv_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/isolator"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/isolatorconv"
	isolatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/isolator/v1"
	resourcev1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/resource/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// fill gives every field of a struct a value that is not zero, and another one each time: so a field that
// is left out on the way, or mixed up with another, is seen.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch x := v.Addr().Interface().(type) {
	case *resource.Resources:
		r, err := resource.Parse(fmt.Sprintf("cpus:%d;mem:32", *n), "*")
		if err != nil {
			t.Fatal(err)
		}
		*x = r
		return
	case *map[string]resource.Limit:
		*x = map[string]resource.Limit{"cpus": resource.Infinite(), "mem": resource.Finite(resource.Scalar(*n))}
		return
	case *time.Time:
		*x = time.Unix(int64(*n), int64(*n)).UTC()
		return
	case *isolator.LimitationReason:
		*x = isolator.LimitationDisk
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("s", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 200))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("nothing to fill a %s with", v.Type())
	}
}

// roundTrip checks that a filled T comes back as it was, over the wire.
func roundTrip[T any, P proto.Message](t *testing.T, to func(T) P, from func(P) (T, error)) {
	t.Helper()
	var v T
	n := 0
	fill(t, reflect.ValueOf(&v).Elem(), &n)
	data, err := proto.Marshal(to(v))
	if err != nil {
		t.Fatal(err)
	}
	p := to(v)
	proto.Reset(p)
	if err := proto.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	back, err := from(p)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", deref(back)) != fmt.Sprintf("%+v", deref(v)) {
		t.Errorf("became %+v\nwas    %+v", back, v)
	}
	var zero T
	if back, err := from(to(zero)); err != nil || !isZero(back) {
		t.Errorf("nothing became %+v, %v", back, err)
	}
}

// deref makes the values behind a struct's pointers part of what is printed.
func deref(v any) any {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct {
		return v
	}
	out := map[string]any{}
	for i := range r.NumField() {
		f := r.Field(i)
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		out[r.Type().Field(i).Name] = f.Interface()
	}
	return out
}

func isZero(v any) bool {
	u, isUsage := v.(isolator.Usage)
	if isUsage {
		u.Timestamp = time.Time{} // the zero time has a form of its own
		v = u
	}
	r := reflect.ValueOf(v)
	return r.IsZero()
}

func sure[P, T any](from func(P) T) func(P) (T, error) {
	return func(p P) (T, error) { return from(p), nil }
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	roundTrip(t, isolatorconv.ContainerToProto, sure(isolatorconv.ContainerFromProto))
	roundTrip(t, isolatorconv.SpecToProto, isolatorconv.SpecFromProto)
	roundTrip(t, isolatorconv.PlanToProto, sure(isolatorconv.PlanFromProto))
	roundTrip(t, isolatorconv.UsageToProto, sure(isolatorconv.UsageFromProto))
	roundTrip(t, isolatorconv.StatusToProto, sure(isolatorconv.StatusFromProto))
	roundTrip(t, isolatorconv.ExitToProto, sure(isolatorconv.ExitFromProto))
}

func TestLimitation(t *testing.T) {
	t.Parallel()
	var l isolator.Limitation
	n := 0
	fill(t, reflect.ValueOf(&l).Elem(), &n)
	if back, err := isolatorconv.LimitationFromProto(isolatorconv.LimitationToProto(l)); err != nil || fmt.Sprint(back) != fmt.Sprint(l) {
		t.Errorf("became %+v, %v", back, err)
	}
	if back, err := isolatorconv.LimitationFromProto(&isolatorv1.WatchResponse{Reason: 77}); err != nil || back.Reason != isolator.LimitationOther {
		t.Errorf("an unknown reason became %+v, %v", back, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	bad := &resourcev1.Resources{Items: []*resourcev1.Resource{{Name: "cpus", Scalar: -1}}}
	if _, err := isolatorconv.SpecFromProto(&isolatorv1.Spec{Resources: bad}); err == nil {
		t.Error("a spec with bad resources")
	}
	if _, err := isolatorconv.SpecFromProto(&isolatorv1.Spec{Limits: []*resourcev1.Limit{{Name: "cpus", Amount: -1}}}); err == nil {
		t.Error("a spec with a bad limit")
	}
	if _, err := isolatorconv.LimitationFromProto(&isolatorv1.WatchResponse{Resources: bad}); err == nil {
		t.Error("a limitation with bad resources")
	}
}
