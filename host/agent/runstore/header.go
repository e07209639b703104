package runstore

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mezzo-cluster/mezzo/host/agent/record"
)

// FormatVersion is the version of the files' form. A reader takes every version up to its own.
const FormatVersion = 1

// magic begins every file.
var magic = []byte("mezzorun")

// header is the first frame of every file.
type header struct {
	Version  int    `json:"version"`
	Instance string `json:"instance"` // of the work directory
	Boot     string `json:"boot"`     // of the machine
}

func (h header) encode() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return appendFrame(bytes.Clone(magic), b), nil
}

// readHeader takes the header off a file.
func readHeader(b []byte) (h header, rest []byte, err error) {
	if len(b) < len(magic) {
		return h, nil, errCut
	}
	if !bytes.HasPrefix(b, magic) {
		return h, nil, fmt.Errorf("not a run store file: %w", errForm)
	}
	payload, rest, err := nextFrame(b[len(magic):])
	if err != nil {
		return h, nil, err
	}
	if err := json.Unmarshal(payload, &h); err != nil {
		return h, nil, fmt.Errorf("header: %w", err)
	}
	if h.Version > FormatVersion {
		return h, nil, fmt.Errorf("file of format %d, this release reads up to %d: %w", h.Version, FormatVersion, record.ErrNewerFormat)
	}
	return h, rest, nil
}
