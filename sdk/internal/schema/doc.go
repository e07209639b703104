// Package schema makes the schema of a plugin's config {} block out of the Go struct that the vendor wrote,
// and fills that struct in from the plain JSON which the host sends.
//
// A field takes part with the tag `config:"name"`; after the name may follow, with commas between,
// required, sensitive and object. Other tags are doc, default, enum (values with commas between), min, max,
// pattern and, for labelled blocks, label. A field with `config:"-"` takes no part, and one without the
// tag is an error, so that none is forgotten. An embedded struct without the tag adds its fields.
//
//	string, bool                  string, bool; with enum an enum
//	int..., uint...               int
//	float32, float64              number
//	time.Duration, sdk.Bytes      duration, bytes
//	[]T, map[string]T             list, map
//	struct, *struct               a block that may occur once
//	[]struct, map[string]struct   blocks, labelled blocks
//
// With the option object, and within lists and maps, a struct is an object. A pointer is nil when the
// operator gives nothing; everything else then is its default or zero.
package schema
