package pluginhost

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/errorconv"
)

// ErrDown is what calls fail with while a plugin has no process that answers. Its code is sdk.Unavailable.
var ErrDown = errors.New("the plugin is down")

// ErrInUse is what Start fails with while another host has the same runtime folder.
var ErrInUse = errors.New("another mezzo runs with the same configuration")

// ErrNoPlugin is what asking for a plugin fails with that is not configured.
var ErrNoPlugin = errors.New("there is no such plugin")

// plain is an error of a call without gRPC's wrapping.
func plain(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	return fmt.Errorf("%s (%s)", s.Message(), s.Code())
}

// Wrap turns what a call through Conn failed with into an *sdk.Error that begins with the plugin's name,
// such as `allocator "drf": `. It returns nil for nil.
func (p *Plugin) Wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrDown) {
		return &sdk.Error{Code: sdk.Unavailable, Err: fmt.Errorf("%s: %w", p, err)}
	}
	err = errorconv.FromStatus(err)
	return &sdk.Error{Code: sdk.CodeOf(err), Err: fmt.Errorf("%s: %w", p, err)}
}

// Bug counts an answer that breaks the contract, and says so as an error with the code sdk.Unknown.
func (p *Plugin) Bug(format string, args ...any) error {
	p.CountBug()
	return sdk.Errorf(sdk.Unknown, "%s: the plugin breaks its contract: %w", p, fmt.Errorf(format, args...))
}

// CountBug counts an answer that breaks the contract.
func (p *Plugin) CountBug() { p.metrics.bug() }
