package registry

import (
	"encoding/json"
	"errors"
	"fmt"
)

// FormatVersion is the version of the registry's formats on disk, operations and snapshots alike. A reader takes
// every version up to its own, and refuses a newer one by name.
const FormatVersion = 1

// ErrNewerFormat says that something on disk was written by a newer release.
var ErrNewerFormat = errors.New("written by a newer release of mezzo")

// envelope is an operation on disk: its format, its name, and its fields.
type envelope struct {
	Version int             `json:"v"`
	Op      string          `json:"op"`
	Fields  json.RawMessage `json:"f"`
}

// EncodeOp returns an operation as it is kept in the log.
func EncodeOp(op Op) ([]byte, error) {
	fields, err := json.Marshal(op)
	if err != nil {
		return nil, fmt.Errorf("encode registry operation %s: %w", op.name(), err)
	}
	return json.Marshal(envelope{Version: FormatVersion, Op: op.name(), Fields: fields})
}

// DecodeOp reads what EncodeOp wrote. It returns ErrNewerFormat for a version or an operation that this release
// does not know.
func DecodeOp(data []byte) (Op, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("read registry operation: %w", err)
	}
	if e.Version > FormatVersion {
		return nil, fmt.Errorf("registry operation of format %d, this release reads up to %d: %w", e.Version, FormatVersion, ErrNewerFormat)
	}
	switch e.Op {
	case AdmitAgent{}.name():
		return decode[AdmitAgent](e)
	case UpdateAgent{}.name():
		return decode[UpdateAgent](e)
	case MarkUnreachable{}.name():
		return decode[MarkUnreachable](e)
	case MarkReachable{}.name():
		return decode[MarkReachable](e)
	case MarkGone{}.name():
		return decode[MarkGone](e)
	case RemoveAgent{}.name():
		return decode[RemoveAgent](e)
	case Prune{}.name():
		return decode[Prune](e)
	case PutMember{}.name():
		return decode[PutMember](e)
	}
	return nil, fmt.Errorf("registry operation %q: %w", e.Op, ErrNewerFormat)
}

func decode[T Op](e envelope) (Op, error) {
	var op T
	if err := json.Unmarshal(e.Fields, &op); err != nil {
		return nil, fmt.Errorf("read registry operation %s: %w", e.Op, err)
	}
	return op, nil
}

// snapshot is a State on disk.
type snapshot struct {
	Version int    `json:"v"`
	State   *State `json:"state"`
}

// EncodeState returns a state as it is kept in a snapshot.
func EncodeState(s *State) ([]byte, error) {
	return json.Marshal(snapshot{Version: FormatVersion, State: s})
}

// DecodeState reads what EncodeState wrote. It returns ErrNewerFormat for a snapshot that this release does not
// know how to read.
func DecodeState(data []byte) (*State, error) {
	out := snapshot{State: NewState()}
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("read registry snapshot: %w", err)
	}
	if out.Version > FormatVersion {
		return nil, fmt.Errorf("registry snapshot of format %d, this release reads up to %d: %w", out.Version, FormatVersion, ErrNewerFormat)
	}
	return out.State, nil
}
