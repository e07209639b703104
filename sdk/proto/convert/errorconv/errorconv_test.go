package errorconv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk"
	"github.com/mezzo-cluster/mezzo/sdk/proto/convert/errorconv"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for code := sdk.Unknown; code <= sdk.Unimplemented; code++ {
		cause := errors.New("cause")
		err := fmt.Errorf("around: %w", sdk.Errorf(code, "it is %w", cause))
		back := errorconv.FromStatus(errorconv.ToStatus(err))
		if sdk.CodeOf(back) != code || back.Error() != "around: it is cause" || !errors.Is(err, cause) {
			t.Errorf("%s became %s: %v", code, sdk.CodeOf(back), back)
		}
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	if errorconv.ToStatus(nil) != nil || errorconv.FromStatus(nil) != nil {
		t.Error("nothing became an error")
	}
	if got := errorconv.ToStatus(fmt.Errorf("x: %w", context.DeadlineExceeded)); status.Code(got) != codes.DeadlineExceeded {
		t.Errorf("a deadline became %v", got)
	}
	if got := errorconv.ToStatus(errors.New("x")); status.Code(got) != codes.Unknown {
		t.Errorf("an error became %v", got)
	}
	if got := errorconv.ToStatus(status.Error(codes.Internal, "x")); status.Code(got) != codes.Internal {
		t.Errorf("a status became %v", got)
	}
	if got := errorconv.FromStatus(status.Error(codes.DataLoss, "x")); sdk.CodeOf(got) != sdk.Unknown || got.Error() != "DataLoss: x" {
		t.Errorf("a code that means nothing became %v", got)
	}
	if got := errorconv.FromStatus(status.Error(codes.Canceled, "x")); sdk.CodeOf(got) != sdk.Aborted {
		t.Errorf("canceled became %v", got)
	}
}
