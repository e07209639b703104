// Package endpoint is what all HTTP endpoints of a master and an agent have in common: routing as libprocess
// does it, methods, who is asking, limits, content negotiation, and replies in the words that Mesos clients know.
//
// It knows nothing of masters, agents or frameworks. It may import host/access (for the principal) and
// sdk/mesos; the packages beside it hold the endpoints themselves.
package endpoint
