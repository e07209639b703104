package mesos_test

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/agent"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/executor"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/maintenance"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/master"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/quota"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/resourceprovider"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

// The facts are one row a field, an enum value or a message without fields.
func TestDescriptorsAreTheWire(t *testing.T) {
	t.Parallel()
	want := readFacts(t)
	got := make(map[string][]string)
	for _, f := range []protoreflect.FileDescriptor{
		mesos.File_mesos_v1_mesos_proto,
		agent.File_mesos_v1_agent_agent_proto,
		allocator.File_mesos_v1_allocator_allocator_proto,
		executor.File_mesos_v1_executor_executor_proto,
		maintenance.File_mesos_v1_maintenance_maintenance_proto,
		master.File_mesos_v1_master_master_proto,
		quota.File_mesos_v1_quota_quota_proto,
		resourceprovider.File_mesos_v1_resource_provider_resource_provider_proto,
		scheduler.File_mesos_v1_scheduler_scheduler_proto,
	} {
		if f.Syntax() != protoreflect.Proto2 {
			t.Errorf("%s is not proto2", f.Path())
		}
		collect(got, f.Messages(), f.Enums())
	}
	for in, rows := range want {
		if len(rows) != len(got[in]) {
			t.Errorf("%s: %d rows, want %d", in, len(got[in]), len(rows))
		}
		for i := range min(len(rows), len(got[in])) {
			if got[in][i] != rows[i] {
				t.Errorf("row %q, want %q", got[in][i], rows[i])
			}
		}
	}
	for in := range got {
		if want[in] == nil {
			t.Errorf("%s is not in the facts", in)
		}
	}
}

// readFacts returns the rows by the message or enum they are in.
func readFacts(t *testing.T) map[string][]string {
	f, err := os.Open("testdata/wire.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := make(map[string][]string)
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if row := s.Text(); !strings.HasPrefix(row, "#") {
			in, _, _ := strings.Cut(row, "\t")
			out[in] = append(out[in], row)
			n++
		}
	}
	if n < 1600 {
		t.Fatalf("only %d facts", n)
	}
	return out
}

func collect(out map[string][]string, messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		if m.IsMapEntry() {
			continue
		}
		in := string(m.FullName())
		for j := range m.Fields().Len() {
			out[in] = append(out[in], fieldRow(m.Fields().Get(j)))
		}
		if m.Fields().Len() == 0 {
			out[in] = []string{row(in, "message", "", "", "", "", "", "")}
		}
		collect(out, m.Messages(), m.Enums())
	}
	for i := range enums.Len() {
		e := enums.Get(i)
		in := string(e.FullName())
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			out[in] = append(out[in], row(in, "enum", string(v.Name()), fmt.Sprint(v.Number()), "", "", "", ""))
		}
	}
}

func row(columns ...string) string { return strings.Join(columns, "\t") }

func fieldRow(f protoreflect.FieldDescriptor) string {
	label := f.Cardinality().String()
	if o := f.ContainingOneof(); o != nil {
		label = "oneof " + string(o.Name())
	}
	kind := f.Kind().String()
	switch {
	case f.Message() != nil:
		kind = string(f.Message().FullName())
	case f.Enum() != nil:
		kind = string(f.Enum().FullName())
	}
	note := ""
	if o, ok := f.Options().(*descriptorpb.FieldOptions); ok && o.GetDeprecated() {
		note = "deprecated"
	}
	return row(string(f.Parent().FullName()), "field", string(f.Name()), fmt.Sprint(f.Number()), label, kind, defaultText(f), note)
}

func defaultText(f protoreflect.FieldDescriptor) string {
	switch {
	case !f.HasDefault():
		return ""
	case f.Enum() != nil:
		return string(f.DefaultEnumValue().Name())
	}
	return f.Default().String()
}

func TestMapValuesAreOfTheRightType(t *testing.T) {
	t.Parallel()
	// The facts name a map's entry, not what it holds.
	want := []string{
		"mesos.v1.FrameworkInfo.offer_filters mesos.v1.OfferFilters",
		"mesos.v1.OfferFilters.ResourceQuantities.quantities mesos.v1.Value.Scalar",
		"mesos.v1.Task.limits mesos.v1.Value.Scalar",
		"mesos.v1.TaskInfo.limits mesos.v1.Value.Scalar",
		"mesos.v1.agent.Call.LaunchContainer.limits mesos.v1.Value.Scalar",
		"mesos.v1.quota.QuotaConfig.guarantees mesos.v1.Value.Scalar",
		"mesos.v1.quota.QuotaConfig.limits mesos.v1.Value.Scalar",
		"mesos.v1.scheduler.OfferConstraints.role_constraints mesos.v1.scheduler.OfferConstraints.RoleConstraints",
	}
	var got []string
	for _, m := range []protoreflect.ProtoMessage{
		&mesos.FrameworkInfo{}, &mesos.OfferFilters_ResourceQuantities{}, &mesos.Task{}, &mesos.TaskInfo{},
		&agent.Call_LaunchContainer{}, &quota.QuotaConfig{}, &scheduler.OfferConstraints{},
	} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if f := fields.Get(i); f.IsMap() {
				got = append(got, fmt.Sprintf("%s %s", f.FullName(), f.MapValue().Message().FullName()))
			}
		}
	}
	slices.SortFunc(got, cmp.Compare[string])
	if !slices.Equal(got, want) {
		t.Errorf("maps %q, want %q", got, want)
	}
}
