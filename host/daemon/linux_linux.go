package daemon

import (
	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
	"github.com/mezzo-cluster/mezzo/host/containerizer/linux"
)

// newLinux returns the containerizer that isolates by namespaces.
func newLinux(c launcher.Config) (containerizer.Containerizer, error) {
	l, err := linux.New(c)
	if err != nil {
		return nil, err
	}
	return l, nil
}
