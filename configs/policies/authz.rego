# Who may do and see what in this cluster. The rules below are read for every call and every object:
#
#   allow              true for what may be done; what it does not allow is refused
#   deny               texts; a single one refuses, whatever allow says, and is the reason that is given
#
# The entry point is data.mezzo.authz.allow, and no text in data.mezzo.authz.deny. For lists it is evaluated once with
# input.object unknown, and what is left becomes a condition that each object is held against: keep what the rules
# ask of input.object to comparisons, `in`, startswith and the like, as `mezzo policy check` makes sure.
#
# They see input.subject (principal, claims, authenticated), input.action (Mesos's name, such as run_task),
# input.kind (task, framework, role, ...) and input.object (the object's fields). Files are read again when they
# change; a policy that does not compile is not taken, and the old one stays in force.
package mezzo.authz

# METADATA
# title: What may be done
# description: Whatever no rule of this name allows is refused.
# entrypoint: true
default allow := false

# Where authentication is off, everybody is nobody, and everything is allowed: listeners are on loopback then.
# With authentication on, delete this rule or leave it: it no longer applies to those who have a name.
allow if not input.subject.authenticated

# Administrators, by data.json.
allow if input.subject.principal in data.admins

# A team's principal registers frameworks in its own roles and the roles below them.
allow if {
	input.action == "register_framework"
	some role in data.teams[input.subject.principal].roles
	within(input.object.name, role)
}

# A framework's principal does with its framework and its tasks what it likes.
allow if {
	input.action in {"run_task", "view_task", "view_executor", "access_sandbox"}
	input.object.framework.principal == input.subject.principal
}

allow if {
	input.action in {"view_framework", "teardown_framework"}
	input.object.principal == input.subject.principal
}

# Roles and the cluster's own figures are no secret.
allow if input.action in {"view_role", "get_quota", "view_flags"}

allow if {
	input.action == "get_endpoint_with_path"
	input.object.method in {"GET", "HEAD"}
}

# Tasks do not run as root, except those of administrators and of clusters without authentication.
deny contains "tasks run as root only for administrators; set the task's or the framework's user" if {
	input.action == "run_task"
	input.object.user == "root"
	input.subject.authenticated
	not input.subject.principal in data.admins
}

within(name, role) if name == role

within(name, role) if startswith(name, concat("", [role, "/"]))
