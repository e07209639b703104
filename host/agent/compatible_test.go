package agent

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
	"github.com/mezzo-cluster/mezzo/sdk/resource/wire"
)

// described is an agent's description of itself.
func described(t *testing.T, resources, attributes string) *mesos.AgentInfo {
	t.Helper()
	r, err := resource.Parse(resources, "*")
	if err != nil {
		t.Fatal(err)
	}
	a, err := resource.ParseAttributes(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return &mesos.AgentInfo{
		Hostname: proto.String("h1"), Port: proto.Int32(5051),
		Resources: wire.ToMesos(r, wire.Format{RefinedReservations: true}), Attributes: wire.AttributesToMesos(a),
	}
}

func TestCompatibleAdditive(t *testing.T) {
	t.Parallel()
	saved, err := proto.Marshal(described(t, "cpus:2;mem:1024;ports:[1000-2000]", "rack:r1"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		resources, attributes string
		change                func(*mesos.AgentInfo)
		want                  string
	}{
		"the same":          {resources: "cpus:2;mem:1024;ports:[1000-2000]", attributes: "rack:r1"},
		"more":              {resources: "cpus:4;mem:1024;gpus:1;ports:[500-2000]", attributes: "rack:r1;zone:z"},
		"less":              {resources: "cpus:1;mem:1024;ports:[1000-2000]", attributes: "rack:r1", want: "has less of them"},
		"a port less":       {resources: "cpus:2;mem:1024;ports:[1001-2000]", attributes: "rack:r1", want: "has less of them"},
		"another attribute": {resources: "cpus:2;mem:1024;ports:[1000-2000]", attributes: "rack:r2", want: "attribute rack"},
		"another host": {
			resources: "cpus:2;mem:1024;ports:[1000-2000]", attributes: "rack:r1", want: `hostname was "h1"`,
			change: func(i *mesos.AgentInfo) { i.Hostname = proto.String("h2") },
		},
		"another port": {
			resources: "cpus:2;mem:1024;ports:[1000-2000]", attributes: "rack:r1", want: "port was 5051",
			change: func(i *mesos.AgentInfo) { i.Port = proto.Int32(1) },
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			present := described(t, c.resources, c.attributes)
			if c.change != nil {
				c.change(present)
			}
			err := CompatibleAdditive(saved, present)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}
