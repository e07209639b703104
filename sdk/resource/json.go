package resource

import "encoding/json"

// jsonResource is a Resource of mesos.v1 in Mesos's JSON, with the fields this package understands.
// Unknown fields are tolerated.
type jsonResource struct {
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	Scalar         *jsonScalar       `json:"scalar,omitempty"`
	Ranges         *jsonRanges       `json:"ranges,omitempty"`
	Set            *jsonSet          `json:"set,omitempty"`
	Role           *string           `json:"role,omitempty"`
	Reservation    *jsonReservation  `json:"reservation,omitempty"`
	Reservations   []jsonReservation `json:"reservations,omitempty"`
	Disk           *jsonDisk         `json:"disk,omitempty"`
	ProviderID     *jsonID           `json:"provider_id,omitempty"`
	AllocationInfo *jsonAllocation   `json:"allocation_info,omitempty"`
	Revocable      *struct{}         `json:"revocable,omitempty"`
	Shared         *struct{}         `json:"shared,omitempty"`
}

type jsonScalar struct {
	Value json.Number `json:"value"`
}

type jsonRanges struct {
	Range []jsonRange `json:"range"`
}

type jsonRange struct {
	Begin uint64 `json:"begin"`
	End   uint64 `json:"end"`
}

type jsonSet struct {
	Item []string `json:"item"`
}

type jsonID struct {
	Value string `json:"value"`
}

type jsonAllocation struct {
	Role string `json:"role"`
}

type jsonLabels struct {
	Labels []jsonLabel `json:"labels"`
}

type jsonLabel struct {
	Key   string  `json:"key"`
	Value *string `json:"value,omitempty"`
}

type jsonReservation struct {
	Type      string      `json:"type,omitempty"`
	Role      string      `json:"role,omitempty"`
	Principal *string     `json:"principal,omitempty"`
	Labels    *jsonLabels `json:"labels,omitempty"`
}

type jsonDisk struct {
	Persistence *jsonPersistence `json:"persistence,omitempty"`
	Volume      *jsonVolume      `json:"volume,omitempty"`
	Source      *jsonSource      `json:"source,omitempty"`
}

type jsonPersistence struct {
	ID        string  `json:"id"`
	Principal *string `json:"principal,omitempty"`
}

type jsonVolume struct {
	Mode          string `json:"mode"`
	ContainerPath string `json:"container_path"`
	HostPath      string `json:"host_path,omitempty"`
}

type jsonSource struct {
	Type     string      `json:"type"`
	Path     *jsonRoot   `json:"path,omitempty"`
	Mount    *jsonRoot   `json:"mount,omitempty"`
	Vendor   string      `json:"vendor,omitempty"`
	ID       string      `json:"id,omitempty"`
	Metadata *jsonLabels `json:"metadata,omitempty"`
	Profile  string      `json:"profile,omitempty"`
}

type jsonRoot struct {
	Root string `json:"root,omitempty"`
}
