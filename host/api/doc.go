// Package api puts the HTTP endpoints of a master and of an agent together: which paths there are, who may reach
// them, and what they need. The packages beneath it hold the endpoints themselves:
//
//	endpoint   routing, limits, media types and replies that all of them share
//	scheduler  the scheduler API and its event streams
//	operator   the operator API of a master
//	masterapi  the older endpoints of a master: /state and its kin
//	agentapi   the endpoints of an agent, with the sandboxes' files
//	about      health, version, settings and metrics, which every daemon has
//
// They reach the state machines through small interfaces (scheduler.Master, agentapi.Agent, endpoint.Leadership) and
// read published states only, so that no read ever takes time from a state machine.
package api
