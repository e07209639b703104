package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
)

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		want  sdk.Code
		final bool
	}{
		{nil, sdk.Unknown, true},
		{errors.New("x"), sdk.Unknown, true},
		{sdk.Errorf(sdk.NotFound, "x"), sdk.NotFound, true},
		{fmt.Errorf("y: %w", sdk.Errorf(sdk.Aborted, "x")), sdk.Aborted, false},
		{sdk.Errorf(sdk.Unavailable, "y: %w", sdk.Errorf(sdk.NotFound, "x")), sdk.Unavailable, false},
		{fmt.Errorf("y: %w", context.DeadlineExceeded), sdk.DeadlineExceeded, false},
		{context.Canceled, sdk.Aborted, false},
	} {
		if got := sdk.CodeOf(c.err); got != c.want || got.Final() != c.final {
			t.Errorf("%v: %s", c.err, got)
		}
	}
	if sdk.Code(99).String() != "unknown" {
		t.Errorf("%s", sdk.Code(99))
	}
}

func TestConfigError(t *testing.T) {
	t.Parallel()
	cause := errors.New("is bad")
	err := sdk.ConfigError(cause, "rules", 2, "match")
	if err.Error() != "rules[2].match: is bad" || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if got := sdk.ConfigError(cause).Error(); got != "is bad" {
		t.Errorf("%s", got)
	}
}
