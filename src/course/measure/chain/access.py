"""Rights that a pod's ServiceAccount lacks, by its own log and by the roles as they are now.

The message is that of apiserver/pkg/endpoints/handlers/responsewriters/errors.go.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from course.measure.chain.objects import Broken, Chain, Thing, line, nearest

_FORBIDDEN = re.compile(
    r'User "system:serviceaccount:(?P<space>[^:]+):(?P<account>[^"]+)" cannot (?P<verb>\w+) '
    r'resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
)
_KINDS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


class _Call(NamedTuple):
    """A call that was refused."""

    space: str
    account: str
    verb: str
    resource: str
    group: str

    def is_given_by(self, role: Thing) -> bool:
        asked = {"verbs": self.verb, "resources": self.resource, "apiGroups": self.group}
        return any(
            all({one, "*"} & {*(rule.get(key) or [])} for key, one in asked.items())
            for rule in role.get("rules") or []
        )

    def is_named_in(self, binding: Thing) -> bool:
        mine = ("ServiceAccount", self.account, self.space)
        return any(
            (s["kind"], s["name"], s.get("namespace") or binding.space) == mine
            for s in binding.get("subjects") or []
        )

    def is_grouped_in(self, binding: Thing) -> bool:
        groups = ["system:authenticated", "system:serviceaccounts"]
        groups.append(f"system:serviceaccounts:{self.space}")
        return any(s["name"] in groups for s in binding.get("subjects") or [])


def access(chain: Chain) -> Broken | None:
    """Name the binding or the role that a refused call of a pod would need."""
    for pod in chain.pods():
        for c in pod.containers:
            said = chain.logs.get((pod.name, c.name), "").replace('\\"', '"')
            for found in reversed([*_FORBIDDEN.finditer(said)]):
                call = _Call(**found.groupdict())
                if wrong := _lacking(chain, call):
                    who = f"system:serviceaccount:{call.space}:{call.account}"
                    look = f"kubectl auth can-i {call.verb} {call.resource} --as={who}"
                    proof = f"{c.name} of {pod.title} says: {line(found[0])}"
                    about, field, seen = wrong
                    wanted = f"{call.verb} {call.resource} for ServiceAccount {call.account}"
                    return Broken(about, field, wanted, line(seen), proof, look)
    return None


def _lacking(chain: Chain, call: _Call) -> tuple[str, str, str] | None:
    """Return object, field and what is seen; `None` if the right has been given since."""
    if not chain.knows(*_KINDS):
        return f"ServiceAccount {call.account}", "its roles", "the roles could not be read"
    bindings = chain.all("rolebindings", "clusterrolebindings")
    own = [b for b in bindings if call.is_named_in(b)]
    for binding in [*own, *filter(call.is_grouped_in, bindings)]:
        role = _role(chain, binding)
        if role and call.is_given_by(role):
            return None
    for binding in own:
        ref, role = binding["roleRef"], _role(chain, binding)
        if role is None:
            known = nearest(ref["name"], chain.all(f"{ref['kind'].lower()}s"))
            return binding.title, "roleRef.name", f"no {ref['kind']} {ref['name']}{known}"
        has = "; ".join(
            f"{','.join(r['verbs'])} {','.join(r.get('resources') or [])}"
            for r in role.get("rules") or []
        )
        return role.title, "rules", f"{binding.title} gives {has or 'nothing'}"
    there = ", ".join(
        f"{b.title} binds {s['name']}"
        for b in chain.all("rolebindings")
        for s in b.get("subjects") or []
    )
    return "RoleBinding", "subjects", f"none binds it; {there or 'there is no RoleBinding'}"


def _role(chain: Chain, binding: Thing) -> Thing | None:
    ref = binding["roleRef"]
    return chain.named(f"{ref['kind'].lower()}s", ref["name"])
