// Package record is what an agent writes down while it works: one value for each key, in forms that carry a version.
// It says nothing of where the values are kept (package runstore does), and imports the standard library and
// protobuf's wire encoding alone.
package record

// Op changes one key of the run store. The order of operations on one key counts.
type Op struct {
	// Key is text, of any characters.
	Key string
	// Value replaces the key's value; nil takes the key away.
	Value []byte
}
