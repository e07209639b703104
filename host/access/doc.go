// Package access answers two questions about every request: who is asking, and what may they do and see. The
// first is answered by an Authenticator, the second by asking the configured authorizer, before anything reaches
// a state machine.
//
// It imports the plain types of sdk/authorizer, never a plugin or gRPC: the authorizer comes in as an interface.
package access
