//go:build !linux

package daemon

import (
	"errors"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

// newLinux refuses: there are no namespaces here.
func newLinux(launcher.Config) (containerizer.Containerizer, error) {
	return nil, errors.New(`launcher = "linux" needs Linux; leave it out, or set "posix"`)
}
