package endpoint

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Media is the format of a body.
type Media int

// The formats that the v1 APIs speak.
const (
	// JSON is Mesos's JSON dialect.
	JSON Media = iota
	// Protobuf is the binary encoding.
	Protobuf
)

// The media types, as clients compare them: no parameters.
const (
	TypeJSON     = "application/json"
	TypeProtobuf = "application/x-protobuf"
)

// String returns the media type.
func (m Media) String() string {
	if m == Protobuf {
		return TypeProtobuf
	}
	return TypeJSON
}

// BodyMedia tells the format of a request's body from its Content-Type. A charset of utf-8 is let pass.
func BodyMedia(r *http.Request) (Media, error) {
	value := r.Header.Get("Content-Type")
	if value == "" {
		return 0, BadRequest("Expecting 'Content-Type' to be present")
	}
	media, params, err := mime.ParseMediaType(value)
	if cs, ok := params["charset"]; err == nil && (!ok || strings.EqualFold(cs, "utf-8")) {
		switch media {
		case TypeJSON:
			return JSON, nil
		case TypeProtobuf:
			return Protobuf, nil
		}
	}
	return 0, Errorf(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of %s or %s", TypeJSON, TypeProtobuf)
}

// AcceptMedia tells which format the client wants: JSON where it takes both, or says nothing.
func AcceptMedia(r *http.Request) (Media, error) {
	if Accepts(r.Header, "Accept", TypeJSON) {
		return JSON, nil
	}
	if Accepts(r.Header, "Accept", TypeProtobuf) {
		return Protobuf, nil
	}
	return 0, Errorf(http.StatusNotAcceptable, "Expecting 'Accept' to allow '%s' or '%s'", TypeProtobuf, TypeJSON)
}

// Accepts tells whether the header with that name lets the media type pass. An absent or empty header lets
// everything pass, and a client may send the header more than once.
func Accepts(h http.Header, name, media string) bool {
	values := strings.Join(h.Values(name), ",")
	if strings.TrimSpace(values) == "" {
		return true
	}
	major, _, _ := strings.Cut(media, "/")
	for item := range strings.SplitSeq(values, ",") {
		kind, params, _ := strings.Cut(item, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		if (kind == media || kind == "*/*" || kind == major+"/*") && quality(params) > 0 {
			return true
		}
	}
	return false
}

// quality reads the q parameter of one item of an Accept header; 1 if it has none.
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
