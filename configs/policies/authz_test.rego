package mezzo.authz_test

import data.mezzo.authz

web := {"principal": "web", "authenticated": true, "claims": {}}

operator := {"principal": "operator", "authenticated": true, "claims": {}}

nobody := {"authenticated": false, "claims": {}}

test_nobody_may_do_everything_without_authentication if {
	authz.allow with input as {"subject": nobody, "action": "run_task", "kind": "task", "object": {"user": "root"}}
	count(authz.deny) == 0 with input as {"subject": nobody, "action": "run_task", "kind": "task", "object": {"user": "root"}}
}

test_team_registers_in_its_own_roles if {
	authz.allow with input as {"subject": web, "action": "register_framework", "kind": "role", "object": {"name": "eng/web"}}
	authz.allow with input as {"subject": web, "action": "register_framework", "kind": "role", "object": {"name": "eng/web/blue"}}
	not authz.allow with input as {"subject": web, "action": "register_framework", "kind": "role", "object": {"name": "eng/website"}}
	not authz.allow with input as {"subject": web, "action": "register_framework", "kind": "role", "object": {"name": "*"}}
}

test_team_sees_its_own_tasks if {
	authz.allow with input as {"subject": web, "action": "view_task", "kind": "task", "object": {"framework": {"principal": "web"}}}
	not authz.allow with input as {"subject": web, "action": "view_task", "kind": "task", "object": {"framework": {"principal": "batch"}}}
	not authz.allow with input as {"subject": web, "action": "view_task", "kind": "task", "object": {"framework": {}}}
}

test_root_is_for_administrators if {
	count(authz.deny) == 1 with input as {"subject": web, "action": "run_task", "kind": "task", "object": {"user": "root"}}
	count(authz.deny) == 0 with input as {"subject": operator, "action": "run_task", "kind": "task", "object": {"user": "root"}}
	count(authz.deny) == 0 with input as {"subject": web, "action": "run_task", "kind": "task", "object": {"user": "web"}}
}
