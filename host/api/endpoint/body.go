package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/mesosjson"
)

// ReadBody reads a whole request body, which the listener's limits bound (see Guard). A body that is too long is a
// 413 that names the limit.
func ReadBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return nil, Errorf(http.StatusRequestEntityTooLarge, "The request's body is longer than %d bytes", long.Limit)
	}
	if err != nil {
		return nil, BadRequest("Failed to read the request's body: %v", err)
	}
	return body, nil
}

// ReadCall reads a request's body into the message, which is a `Call` of one of the v1 APIs. Errors are worded as
// Mesos words them.
func ReadCall(r *http.Request, call proto.Message) error {
	media, err := BodyMedia(r)
	if err != nil {
		return err
	}
	body, err := ReadBody(r)
	if err != nil {
		return err
	}
	return Decode(media, body, call)
}

// Decode reads a body into a message, whose name is taken from its descriptor. Errors are worded as Mesos words
// them.
func Decode(media Media, body []byte, m proto.Message) error {
	name := m.ProtoReflect().Descriptor().Name()
	if media == Protobuf {
		if err := checkWire(body, m.ProtoReflect().Descriptor()); err != nil {
			return BadRequest("Failed to parse body into %s protobuf: %v", name, err)
		}
		if err := proto.Unmarshal(body, m); err != nil {
			return BadRequest("Failed to parse body into %s protobuf", name)
		}
		return nil
	}
	err := mesosjson.Unmarshal(body, m)
	var syntax *mesosjson.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return BadRequest("Failed to parse body into JSON: %v", err)
	}
	return BadRequest("Failed to convert JSON into %s protobuf: %v", name, err)
}

// Encode turns a message into a body.
func Encode(media Media, m proto.Message) ([]byte, error) {
	return AppendEncoded(nil, media, m)
}

// AppendEncoded appends a message's encoding to dst.
func AppendEncoded(dst []byte, media Media, m proto.Message) ([]byte, error) {
	var err error
	if media == Protobuf {
		dst, err = proto.MarshalOptions{}.MarshalAppend(dst, m)
	} else {
		dst, err = mesosjson.Append(dst, m)
	}
	if err != nil {
		return dst, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return dst, nil
}
