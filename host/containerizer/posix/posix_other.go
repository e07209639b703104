//go:build !unix

package posix

import (
	"errors"

	"github.com/mezzo-cluster/mezzo/host/containerizer"
	"github.com/mezzo-cluster/mezzo/host/containerizer/launcher"
)

// New refuses: this system has no process groups.
func New(launcher.Config) (containerizer.Containerizer, error) {
	return nil, errors.New("this release runs no tasks on a system that is not a Unix")
}
