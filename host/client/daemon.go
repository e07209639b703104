package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/address"
)

// GetJSON reads a JSON endpoint of the daemon at an address (host:port or a URL), or of the leading master when that
// is empty, into v.
func (c *Client) GetJSON(ctx context.Context, at, path string, v any) error {
	return c.askJSON(ctx, at, request{method: http.MethodGet, path: path}, v)
}

// PostJSON makes a request that changes something at the daemon at an address, or at the leading master when that is
// empty, and reads the answer into v.
func (c *Client) PostJSON(ctx context.Context, at, path string, v any) error {
	return c.askJSON(ctx, at, request{method: http.MethodPost, path: path}, v)
}

func (c *Client) askJSON(ctx context.Context, at string, req request, v any) error {
	data, err := c.ask(ctx, at, req)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read answer to %s: %w", req.path, err)
	}
	return nil
}

func (c *Client) ask(ctx context.Context, at string, req request) ([]byte, error) {
	if at == "" {
		resp, err := c.do(ctx, req)
		if err != nil {
			return nil, err
		}
		return success(resp, http.StatusOK)
	}
	u, err := address.Parse(at, c.scheme)
	if err != nil {
		return nil, fmt.Errorf("daemon's %w", err)
	}
	resp, err := c.send(ctx, u, req)
	if err != nil {
		return nil, fmt.Errorf("nothing answers at %s: %w", u.Host, plainly(err))
	}
	return success(resp, http.StatusOK)
}
