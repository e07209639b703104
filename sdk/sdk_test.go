package sdk_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mezzo-cluster/mezzo/sdk"
)

func TestWarn(t *testing.T) {
	t.Parallel()
	sdk.Host{}.Warn(errors.New("nobody hears it"), "rule", 2)
	var log bytes.Buffer
	sdk.Host{Logger: slog.New(slog.NewTextHandler(&log, nil))}.Warn(errors.New("old"), "rule", 2, "match")
	if !strings.Contains(log.String(), `level=WARN`) || !strings.Contains(log.String(), "rule[2].match: old") {
		t.Errorf("logged: %s", &log)
	}
	var got []error
	h := sdk.Host{Warned: func(err error) { got = append(got, err) }}
	h.Warn(errors.New("old"), "mode")
	h.Warn(sdk.ConfigError(errors.New("older"), "path"))
	var first, second *sdk.ConfigProblem
	if len(got) != 2 || !errors.As(got[0], &first) || !errors.As(got[1], &second) || first.Path[0] != "mode" || second.Path[0] != "path" {
		t.Errorf("warned of %v", got)
	}
}
