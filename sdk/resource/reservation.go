package resource

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Label is a key with, perhaps, a value.
type Label struct {
	Key      string
	Value    string
	HasValue bool
}

func compareLabel(a, b Label) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), compareBool(a.HasValue, b.HasValue), cmp.Compare(a.Value, b.Value))
}

// compareLabels orders lists of labels; lists with the same labels in another order are equal.
func compareLabels(a, b []Label) int {
	if slices.Equal(a, b) {
		return 0
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, compareLabel)
	slices.SortFunc(b, compareLabel)
	return slices.CompareFunc(a, b, compareLabel)
}

func appendLabels(b []byte, labels []Label) []byte {
	b = append(b, '{')
	for i, l := range labels {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, l.Key...)
		if l.HasValue {
			b = append(append(b, ": "...), l.Value...)
		}
	}
	return append(b, '}')
}

// ReservationType says who may undo a reservation.
type ReservationType uint8

const (
	// Static reservations come with the agent's configuration and stay.
	Static ReservationType = iota + 1
	// Dynamic reservations are made and undone while the agent runs.
	Dynamic
)

// String is the type's name on the wire.
func (t ReservationType) String() string {
	switch t {
	case Static:
		return "STATIC"
	case Dynamic:
		return "DYNAMIC"
	default:
		return "UNKNOWN"
	}
}

// Reservation keeps resources for a role and the roles below it.
type Reservation struct {
	Type         ReservationType
	Role         string
	Principal    string // who made it; meaningful with HasPrincipal
	HasPrincipal bool
	Labels       []Label
}

func compareReservation(a, b Reservation) int {
	return cmp.Or(
		cmp.Compare(a.Role, b.Role),
		cmp.Compare(a.Type, b.Type),
		compareBool(a.HasPrincipal, b.HasPrincipal),
		cmp.Compare(a.Principal, b.Principal),
		compareLabels(a.Labels, b.Labels),
	)
}

// Equal tells whether two reservations are the same; the order of labels does not matter.
func (r Reservation) Equal(o Reservation) bool { return compareReservation(r, o) == 0 }

// String writes the reservation as Mesos does: (DYNAMIC,eng,alice).
func (r Reservation) String() string { return string(r.appendTo(nil)) }

func (r Reservation) appendTo(b []byte) []byte {
	b = append(append(append(append(b, '('), r.Type.String()...), ','), r.Role...)
	if r.HasPrincipal {
		b = append(append(b, ','), r.Principal...)
	}
	if len(r.Labels) > 0 {
		b = appendLabels(append(b, ','), r.Labels)
	}
	return append(b, ')')
}

func appendReservations(b []byte, stack []Reservation) []byte {
	b = append(b, "(reservations: ["...)
	for i, r := range stack {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendTo(b)
	}
	return append(b, "])"...)
}

// validateReservations checks a stack of reservations, the outermost first: each one further in is
// dynamic and for a role strictly below the one before.
func validateReservations(stack []Reservation) error {
	for i, r := range stack {
		if err := ValidateRole(r.Role); err != nil {
			return fmt.Errorf("Invalid reservation: %w", err) //nolint:staticcheck // Mesos's words, shown to its clients
		}
		switch {
		case r.Role == DefaultRole:
			return fmt.Errorf("Invalid reservation: role \"*\" cannot be reserved") //nolint:staticcheck // as above
		case r.Type != Static && r.Type != Dynamic:
			return fmt.Errorf("Invalid reservation: unknown type") //nolint:staticcheck // as above
		case i > 0 && r.Type == Static:
			return fmt.Errorf("Invalid refined reservation: A refined reservation cannot be STATIC") //nolint:staticcheck // as above
		case i > 0 && !IsStrictSubrole(r.Role, stack[i-1].Role):
			//nolint:staticcheck // as above
			return fmt.Errorf("Invalid refined reservation: role '%s' is not a refinement of '%s'", r.Role, stack[i-1].Role)
		}
	}
	return nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// compareText is strings.Compare with the usual case, equality, first.
func compareText(a, b string) int {
	if a == b {
		return 0
	}
	return strings.Compare(a, b)
}
