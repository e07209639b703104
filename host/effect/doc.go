// Package effect carries out what the state machines of the master and the agent decide: it takes events one by
// one, publishes the state that follows from them, and then carries the effects out, in order.
//
// The world is behind ports: the daemon gives real ones, the simulator its own, and both run the very same code.
// The package imports the machines and their plain types; no gRPC and no HTTP.
package effect
