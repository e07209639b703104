// Package jsonwire holds the primitives of Mesos's JSON dialect that the generated encoders and
// decoders of the mesos.v1 packages are made of. Everybody else uses mesosjson.
//
// It imports the standard library and protobuf's Duration.
package jsonwire
