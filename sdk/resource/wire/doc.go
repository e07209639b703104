// Package wire turns resources into the messages of mesos.v1 and back. It imports those messages and
// package resource, and nothing else.
//
// Mesos has two formats for a reservation. The older one, of frameworks without the capability
// RESERVATION_REFINEMENT, has Resource.role and Resource.reservation and knows one reservation only;
// the newer has the list Resource.reservations and no role. Either is accepted, mixing them in one
// resource is not.
package wire
