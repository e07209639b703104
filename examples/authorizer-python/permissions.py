"""Permissions in a TOML file: who may do what in which roles.

    [groups]
    dev = ["bob", "carol"]

    [[allow]]
    to      = ["@dev"]                          # "bob", "@dev", or "*" for anybody, anonymous callers too
    actions = ["register_framework", "run_task", "view_*"]
    roles   = ["dev", "dev/*"]                  # left out for all, and for what has no role

    [[deny]]                                    # goes before every allow
    to      = ["*"]
    actions = ["run_task"]
    roles   = ["dev/frozen"]
    reason  = "the branch is frozen until Monday"

What no rule allows is refused.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.struct_pb2 import Value
from mezzo.authorizer.v1 import authorizer_pb2 as pb

# The kinds of object that have roles, with where: one, or a list of them if the field is called roles.
ROLES_OF = {
    "role": ["name"],
    "task": ["role"],
    "resource": ["role"],
    "framework": ["roles"],
    "executor": ["framework", "roles"],
    "container": ["framework", "roles"],
}
ACTIONS_ON = {
    "role": "register_framework view_role update_weight get_quota update_quota update_quota_with_config",
    "task": "run_task view_task",
    "resource": "reserve_resources unreserve_resources create_volume destroy_volume resize_volume create_block_disk"
    " destroy_block_disk create_mount_disk destroy_mount_disk destroy_raw_disk",
    "framework": "teardown_framework view_framework",
    "executor": "view_executor access_sandbox",
    "container": "launch_nested_container launch_nested_container_session kill_nested_container wait_nested_container"
    " remove_nested_container attach_container_input attach_container_output view_container",
}
KIND_OF = {action: kind for kind, actions in ACTIONS_ON.items() for action in actions.split()}


class BadPermissions(Exception):
    """The file cannot be used; the text says why, and where."""


def matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@dataclass(frozen=True)
class Rule:
    where: str  # in the file, such as allow[0]
    to: list[str]
    actions: list[str]
    roles: list[str] | None
    reason: str

    def concerns(self, principal: str, groups: set[str], action: str) -> bool:
        named = "*" in self.to or (principal != "" and (principal in self.to or not groups.isdisjoint(self.to)))
        return named and any(matches(a, action) for a in self.actions)

    def holds(self, roles: Iterable[str]) -> bool:
        return self.roles is None or any(matches(p, r) for p in self.roles for r in roles)

    def predicate(self, kind: str | None) -> pb.Predicate:
        """What holds() finds out about an object of a kind, for the host to evaluate."""
        if self.roles is None:
            return pb.Predicate(op=pb.OP_TRUE)
        if kind is None:
            return pb.Predicate(op=pb.OP_FALSE)
        steps = ROLES_OF[kind]
        many = steps[-1] == "roles"
        role = pb.Term(path=pb.Path(steps=[] if many else steps))
        tests = []
        for pattern in self.roles:
            prefix = pattern.endswith("*")
            const = pb.Term(const=Value(string_value=pattern[:-1] if prefix else pattern))
            tests.append(pb.Predicate(op=pb.OP_PREFIX if prefix else pb.OP_EQ, left=role, right=const))
        one = pb.Predicate(op=pb.OP_OR, of=tests)
        return pb.Predicate(op=pb.OP_ANY, left=pb.Term(path=pb.Path(steps=steps)), of=[one]) if many else one


@dataclass(frozen=True)
class Permissions:
    revision: str
    groups: dict[str, list[str]]
    deny: list[Rule]
    allow: list[Rule]

    def concerning(self, principal: str, action: str) -> tuple[list[Rule], list[Rule]]:
        groups = {f"@{group}" for group, members in self.groups.items() if principal in members}
        deny, allow = ([r for r in rules if r.concerns(principal, groups, action)] for rules in (self.deny, self.allow))
        return deny, allow

    def decide(self, principal: str, action: str, objects: Iterable[pb.Object]) -> list[pb.Decision]:
        deny, allow = self.concerning(principal, action)
        kind = KIND_OF.get(action)
        return [decide(deny, allow, principal, action, list(roles_of(kind, o))) for o in objects]

    def filter(self, principal: str, action: str) -> pb.Predicate:
        deny, allow = self.concerning(principal, action)
        kind = KIND_OF.get(action)
        denied = pb.Predicate(op=pb.OP_OR, of=[r.predicate(kind) for r in deny])
        allowed = pb.Predicate(op=pb.OP_OR, of=[r.predicate(kind) for r in allow])
        return pb.Predicate(op=pb.OP_AND, of=[allowed, pb.Predicate(op=pb.OP_NOT, of=[denied])])


def decide(deny: list[Rule], allow: list[Rule], principal: str, action: str, roles: list[str]) -> pb.Decision:
    for rule in deny:
        if rule.holds(roles):
            return pb.Decision(allowed=False, reason=rule.reason or f"{rule.where} forbids it")
    for rule in allow:
        if rule.holds(roles):
            return pb.Decision(allowed=True, reason=rule.reason or f"{rule.where} allows it")
    where = f" in the role {', '.join(roles)}" if roles else ""
    return pb.Decision(allowed=False, reason=f"no rule allows {principal or 'anonymous callers'} to {action}{where}")


def roles_of(kind: str | None, o: pb.Object) -> Iterable[str]:
    if kind is None:
        return
    value = Value(struct_value=o.fields)
    for step in ROLES_OF[kind]:
        if step not in value.struct_value.fields:
            return
        value = value.struct_value.fields[step]
    for v in [value, *value.list_value.values]:
        if v.HasField("string_value"):
            yield v.string_value


def parse(data: bytes) -> Permissions:
    """Reads a permissions file's content."""
    try:
        file = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as e:  # a TOMLDecodeError, a UnicodeDecodeError, or too deep a nest
        raise BadPermissions(str(e)) from e
    if unknown := file.keys() - {"groups", "allow", "deny"}:
        raise BadPermissions(f"{min(unknown)}: there are groups, [[allow]] and [[deny]], and nothing else")
    groups = file.get("groups", {})
    if not isinstance(groups, dict):
        raise BadPermissions("groups: a table is needed")
    for name, members in groups.items():
        strings(members, f"groups.{name}")
    return Permissions(hashlib.sha256(data).hexdigest(), groups, *(rules(file, which, groups) for which in ("deny", "allow")))


def rules(file: dict, which: str, groups: dict) -> list[Rule]:
    entries = file.get(which, [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise BadPermissions(f"{which}: write [[{which}]]")
    return [rule(entry, f"{which}[{i}]", groups) for i, entry in enumerate(entries)]


def rule(entry: dict, where: str, groups: dict) -> Rule:
    if unknown := entry.keys() - {"to", "actions", "roles", "reason"}:
        raise BadPermissions(f"{where}.{min(unknown)}: a rule has to, actions, roles and reason")
    to = strings(entry.get("to"), f"{where}.to")
    for name in to:
        if name.startswith("@") and name[1:] not in groups:
            raise BadPermissions(f"{where}.to: there is no group {name[1:]!r}")
    roles = strings(entry["roles"], f"{where}.roles") if "roles" in entry else None
    reason = entry.get("reason", "")
    if not isinstance(reason, str):
        raise BadPermissions(f"{where}.reason: a string is needed")
    return Rule(where, to, strings(entry.get("actions"), f"{where}.actions"), roles, reason)


def strings(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise BadPermissions(f"{where}: a list of strings is needed")
    return value
