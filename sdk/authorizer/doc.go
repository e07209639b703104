// Package authorizer is the contract of authorizer plugins: who may do and see what.
//
// A question is a subject (who is asking), an action (one of Actions, named as Mesos names it) and objects
// (what it is about, as fields). The plugin answers with a decision and a reason for each object, or, for
// views over many objects, with a Predicate over an object's fields that the host evaluates itself:
// showing one user's tasks among 100,000 takes one question.
//
// The host fails closed: an error is a refusal, and without the plugin nothing is allowed.
//
// The package imports the standard library only.
package authorizer
