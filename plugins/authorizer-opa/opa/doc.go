// Package opa is an authorizer that decides by Rego policies (https://www.openpolicyagent.org/docs/policy-language).
//
// A folder of .rego files, with .json and .yaml data files beside them, is compiled once. The policies define
// package mezzo.authz (or another, by configuration) with these rules:
//
//   - allow: true for what may be done. Whatever it does not allow is refused.
//   - deny: a set of texts. One text is enough to refuse, whatever allow says, and is the reason given.
//   - reason: a set of texts that are given as the reason of what is allowed; optional.
//
// They read input.subject (principal, claims, authenticated), input.action (Mesos's name, such as run_task),
// input.kind (what the object is, such as task) and input.object (the object's fields). Which action is about
// which kind, and which fields a kind has, is documented in the SDK's package authorizer.
//
// When a file changes, the folder is read again. If the new policy does not compile, the old one stays in force,
// and the problem is told. Tests (*_test.rego) are not loaded.
//
// The package serves authorizer.PolicyTools as well: it runs those tests, says what is wrong or unwise with policies,
// what tests reach, and how an answer comes about. Each call reads the policies that it is asked about.
//
// The package imports OPA, fsnotify and the SDK.
package opa
