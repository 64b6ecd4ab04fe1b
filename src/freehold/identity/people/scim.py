"""What a directory says of people and groups by SCIM 2.0 (RFC 7643, RFC 7644), as far as it is taken: pure.

People: userName, externalId, displayName, the primary e-mail, active. Groups: displayName, externalId, members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from freehold.identity.errors import BadScim
from freehold.identity.people.types import Group, Person

_FILTER = re.compile(r'\s*(\w+)\s+eq\s+"((?:[^"\\]|\\.)*)"\s*\Z', re.IGNORECASE)
_MEMBER = re.compile(r'members\[\s*value\s+eq\s+"([^"]+)"\s*\]\Z', re.IGNORECASE)
_MOST = 320


class Step(msgspec.Struct, frozen=True):
    """One operation of a PATCH. `op` is add, replace or remove, in any case."""

    op: str
    path: str = ""
    value: Any = None


def wanted(text: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The attribute and the value of a filter `NAME eq "VALUE"`; None where all are wanted. Raises BadScim."""
    if not text:
        return None
    found = _FILTER.match(text)
    known = {one.lower(): one for one in names}
    if not found or found[1].lower() not in known:
        raise BadScim(f"a filter here is NAME eq VALUE, of {', '.join(names)}")
    return known[found[1].lower()], re.sub(r"\\(.)", r"\1", found[2])


def flag(value: Any) -> bool:
    """True or false, also as the words some directories send. Raises BadScim."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise BadScim("active is true or false")


def described(person: Person, told: Mapping[str, Any]) -> Person:
    """The person with what a directory tells of them; what it does not name stays. Raises BadScim."""
    changes: dict[str, Any] = {}
    for name, value in told.items():
        field = {"username": "user_name", "externalid": "external_id", "displayname": "name"}.get(name.lower())
        if field:
            changes[field] = _text(name, value)
        elif name.lower() == "active":
            changes["active"] = flag(value)
        elif name.lower() == "emails":
            changes["email"] = _primary(value)
    found = replace(person, **changes)
    if not found.user_name:
        raise BadScim("a person has a userName")
    return found


def patched(person: Person, steps: Sequence[Step]) -> Person:
    """The person after a PATCH. Raises BadScim, and changes nothing then."""
    for step in steps:
        if step.op.lower() not in ("add", "replace"):
            raise BadScim("a person's attributes are added or replaced, not removed")
        told = {step.path: step.value} if step.path else step.value
        if not isinstance(told, Mapping):
            raise BadScim("an operation without a path carries an object")
        plain = {"username", "externalid", "displayname", "active", "emails"}
        if step.path and step.path.lower() not in plain:
            raise BadScim(f"{step.path} is not taken here")
        person = described(person, told)
    return person


def regrouped(group: Group, steps: Sequence[Step]) -> Group:
    """The group after a PATCH. Raises BadScim, and changes nothing then."""
    for step in steps:
        op, path = step.op.lower(), step.path.lower()
        one = _MEMBER.match(step.path)
        if op == "remove" and one:
            group = replace(group, members=tuple(each for each in group.members if each != one[1]))
        elif path == "members" and op in ("add", "remove", "replace"):
            group = replace(group, members=_members(group.members, op, step.value))
        elif op in ("add", "replace") and not path and isinstance(step.value, Mapping):
            for name, value in step.value.items():
                group = regrouped(group, [Step(op, name, value)]) if name.lower() != "id" else group
        elif op in ("add", "replace") and path in ("displayname", "externalid"):
            field = "name" if path == "displayname" else "external_id"
            group = replace(group, **{field: _text(step.path, step.value)})
        else:
            raise BadScim(f"{step.op} of {step.path or 'nothing'} is not taken here")
    return group


def members_of(value: Any) -> tuple[str, ...]:
    """Ids out of a list of members. Raises BadScim."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("value"), str) for one in value
    ):
        raise BadScim("members are a list of objects with a value")
    return tuple(sorted({one["value"] for one in value}))


def _members(before: Sequence[str], op: str, value: Any) -> tuple[str, ...]:
    told = set(members_of(value))
    if op == "replace":
        return tuple(sorted(told))
    if op == "remove":
        return tuple(sorted(set(before) - told)) if value is not None else ()
    return tuple(sorted(set(before) | told))


def _primary(value: Any) -> str:
    if not isinstance(value, list):
        raise BadScim("emails are a list")
    every = [one for one in value if isinstance(one, Mapping) and isinstance(one.get("value"), str)]
    chosen = next((one for one in every if one.get("primary")), every[0] if every else None)
    return _text("emails", chosen["value"]) if chosen else ""


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST or not value.isprintable():
        raise BadScim(f"{name} is a line of at most {_MOST} characters")
    return value.strip()
