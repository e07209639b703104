// Package errorconv turns the errors of package sdk into gRPC statuses and back, for both ends of a
// plugin's connection.
package errorconv

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk"
)

var toGRPC = map[sdk.Code]codes.Code{
	sdk.Unknown:            codes.Unknown,
	sdk.InvalidArgument:    codes.InvalidArgument,
	sdk.FailedPrecondition: codes.FailedPrecondition,
	sdk.NotFound:           codes.NotFound,
	sdk.Unavailable:        codes.Unavailable,
	sdk.DeadlineExceeded:   codes.DeadlineExceeded,
	sdk.Aborted:            codes.Aborted,
	sdk.ResourceExhausted:  codes.ResourceExhausted,
	sdk.Unimplemented:      codes.Unimplemented,
}

// ToStatus is err as a gRPC status error, nil for nil. An error that is one already stays as it is.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return s.GRPCStatus().Err()
	}
	return status.Error(toGRPC[sdk.CodeOf(err)], err.Error())
}

// FromStatus is a gRPC status error as an *sdk.Error, nil for nil. Codes that mean nothing in a plugin's
// contract become sdk.Unknown, with the code's name in the message.
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	for code, grpcCode := range toGRPC {
		if grpcCode == s.Code() {
			return &sdk.Error{Code: code, Err: errors.New(s.Message())}
		}
	}
	if s.Code() == codes.Canceled {
		return &sdk.Error{Code: sdk.Aborted, Err: errors.New(s.Message())}
	}
	return sdk.Errorf(sdk.Unknown, "%s: %s", s.Code(), s.Message())
}
