package resource

import (
	"cmp"
	"errors"
	"fmt"
)

// Disk says what a disk resource is made of and what volume it holds.
type Disk struct {
	Persistence *Persistence // set for a persistent volume
	Volume      *Volume      // how a container sees it; not part of what the resource is
	Source      *DiskSource  // nil for the agent's own file system
}

// Persistence names a persistent volume.
type Persistence struct {
	ID           string
	Principal    string // who made it; meaningful with HasPrincipal
	HasPrincipal bool
}

// Volume says where in a container a volume appears.
type Volume struct {
	ContainerPath string
	HostPath      string
	ReadOnly      bool
}

// DiskSourceType is where a disk's bytes are.
type DiskSourceType uint8

const (
	// DiskPath is a folder that may be divided.
	DiskPath DiskSourceType = iota + 1
	// DiskMount is a file system of its own, taken whole.
	DiskMount
	// DiskBlock is a block device, taken whole.
	DiskBlock
	// DiskRaw is storage that is not yet a disk: a pool, or, with an ID, one piece of it.
	DiskRaw
)

// String is the type's name on the wire.
func (t DiskSourceType) String() string {
	switch t {
	case DiskPath:
		return "PATH"
	case DiskMount:
		return "MOUNT"
	case DiskBlock:
		return "BLOCK"
	case DiskRaw:
		return "RAW"
	default:
		return "UNKNOWN"
	}
}

// DiskSource is where a disk resource comes from. An empty string is a field that is not set.
type DiskSource struct {
	Type     DiskSourceType
	Root     string // of a path or mount: absolute, or relative to the agent's work_dir
	Vendor   string
	ID       string
	Profile  string
	Metadata []Label
}

// whole tells whether the disk can only be given out as it is, never divided or merged.
func (d *Disk) whole() bool {
	switch {
	case d == nil:
		return false
	case d.Persistence != nil:
		return true
	case d.Source == nil:
		return false
	}
	switch d.Source.Type {
	case DiskMount, DiskBlock:
		return true
	case DiskRaw:
		return d.Source.ID != ""
	default:
		return false
	}
}

// compareDisk orders disks by what they are. The Volume is left out: it says how a container uses the
// disk, and each task may choose another path for the same persistent volume.
func compareDisk(a, b *Disk) int {
	if a == b {
		return 0
	}
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	if c := compareSource(a.Source, b.Source); c != 0 {
		return c
	}
	if a.Persistence == nil || b.Persistence == nil {
		return compareBool(a.Persistence != nil, b.Persistence != nil)
	}
	return cmp.Compare(a.Persistence.ID, b.Persistence.ID)
}

func compareSource(a, b *DiskSource) int {
	if a == nil || b == nil {
		return compareBool(a != nil, b != nil)
	}
	return cmp.Or(
		cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Root, b.Root),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Profile, b.Profile),
		cmp.Compare(a.Vendor, b.Vendor),
		compareLabels(a.Metadata, b.Metadata),
	)
}

func (d *Disk) validate() error {
	if d.Persistence != nil && d.Persistence.ID == "" {
		return errors.New("Persistence must have an 'id'") //nolint:staticcheck // Mesos's words, shown to its clients
	}
	s := d.Source
	switch {
	case s == nil:
		return nil
	case s.Type < DiskPath || s.Type > DiskRaw:
		return fmt.Errorf("Unsupported 'DiskInfo.Source.Type': %s", s.Type) //nolint:staticcheck // as above
	case s.Type == DiskRaw && d.Persistence != nil:
		return errors.New("A RAW disk cannot hold a persistent volume") //nolint:staticcheck // as above
	case s.Root != "" && s.Type != DiskPath && s.Type != DiskMount:
		return fmt.Errorf("A %s disk has no 'root'", s.Type) //nolint:staticcheck // as above
	}
	return nil
}

// String writes the disk as Mesos does: MOUNT:/data,vol-1:path:rw.
func (d *Disk) String() string { return string(d.appendTo(nil)) }

func (d *Disk) appendTo(b []byte) []byte {
	if s := d.Source; s != nil {
		b = s.appendTo(b)
	}
	if d.Persistence != nil {
		if d.Source != nil {
			b = append(b, ',')
		}
		b = append(b, d.Persistence.ID...)
	}
	if v := d.Volume; v != nil {
		b = append(b, ':')
		if v.HostPath != "" {
			b = append(append(b, v.HostPath...), ':')
		}
		b = append(b, v.ContainerPath...)
		if v.ReadOnly {
			b = append(b, ":ro"...)
		}
	}
	return b
}

func (s *DiskSource) appendTo(b []byte) []byte {
	b = append(b, s.Type.String()...)
	if s.Vendor != "" || s.ID != "" || s.Profile != "" {
		b = append(append(append(append(b, '('), s.Vendor...), ','), s.ID...)
		b = append(append(append(b, ','), s.Profile...), ')')
	}
	if s.Root != "" {
		b = append(append(b, ':'), s.Root...)
	}
	return b
}
