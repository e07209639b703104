# The tests of authz.rego: `mezzo policy test configs/policies` runs them.
package mezzo.authz_test

import data.mezzo.authz

web := {"principal": "web", "authenticated": true, "claims": {}}

operator := {"principal": "operator", "authenticated": true, "claims": {}}

nobody := {"authenticated": false, "claims": {}}

# allowed tells whether a subject may do something, with data of the tests' own.
allowed(subject, action, object) if {
	authz.allow with input as {"subject": subject, "action": action, "object": object}
		with data.admins as ["operator"]
		with data.teams as {"web": {"roles": ["eng/web"]}}
	count(denied(subject, action, object)) == 0
}

# denied is why not, whatever allow says.
denied(subject, action, object) := texts if {
	texts := authz.deny with input as {"subject": subject, "action": action, "object": object}
		with data.admins as ["operator"]
}

test_nobody_may_do_everything_without_authentication if {
	allowed(nobody, "run_task", {"user": "root"})
	allowed(nobody, "teardown_framework", {"principal": "web"})
}

test_administrators_may_do_everything if {
	allowed(operator, "run_task", {"user": "root", "framework": {"principal": "web"}})
	allowed(operator, "teardown_framework", {"principal": "web"})
	allowed(operator, "get_endpoint_with_path", {"path": "/plugins/reload", "method": "POST"})
}

test_team_registers_in_its_own_roles if {
	allowed(web, "register_framework", {"name": "eng/web"})
	allowed(web, "register_framework", {"name": "eng/web/blue"})
	not allowed(web, "register_framework", {"name": "eng/website"})
	not allowed(web, "register_framework", {"name": "eng"})
	not allowed(web, "register_framework", {"name": "*"})
}

test_team_has_its_own_tasks_alone[action] if {
	some action in ["run_task", "view_task", "view_executor", "access_sandbox"]
	allowed(web, action, {"framework": {"principal": "web"}})
	not allowed(web, action, {"framework": {"principal": "batch"}})
	not allowed(web, action, {"framework": {}})
	not allowed(web, action, {})
}

test_team_has_its_own_frameworks_alone[action] if {
	some action in ["view_framework", "teardown_framework"]
	allowed(web, action, {"principal": "web"})
	not allowed(web, action, {"principal": "batch"})
	not allowed(web, action, {})
}

test_roles_and_figures_are_no_secret if {
	allowed(web, "view_role", {"name": "eng/batch"})
	allowed(web, "get_quota", {"name": "eng/batch"})
	allowed(web, "view_flags", {})
	not allowed(web, "update_quota_with_config", {"name": "eng/web"})
}

test_endpoints_are_read_and_not_written if {
	allowed(web, "get_endpoint_with_path", {"path": "/metrics/snapshot", "method": "GET"})
	allowed(web, "get_endpoint_with_path", {"path": "/metrics/snapshot", "method": "HEAD"})
	not allowed(web, "get_endpoint_with_path", {"path": "/plugins/reload", "method": "POST"})
	not allowed(web, "get_endpoint_with_path", {"path": "/plugins/reload"})
}

test_root_is_for_administrators if {
	count(denied(web, "run_task", {"user": "root"})) == 1
	not allowed(web, "run_task", {"user": "root", "framework": {"principal": "web"}})
	allowed(web, "run_task", {"user": "web", "framework": {"principal": "web"}})
}
