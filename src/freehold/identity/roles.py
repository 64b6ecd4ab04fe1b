"""Which role may do what on the management API. A role without an entry may do nothing there."""

from __future__ import annotations

from freehold.core.errors import Forbidden

APPLICATION = "developer"
"""The role of a plain key. A key of it is a program and may do nothing here; a person of it may look."""
EMERGENCY = "break-glass"
"""What a person is while a break-glass for `owner` lasts: an owner, but for what would outlive it."""
PROVISIONER = "provisioner"
"""Who holds the SCIM token."""

_NOUNS = ("audit", "calls", "config", "evals", "keys", "models", "moves", "people", "receipts", "routes", "status")
_SELF = frozenset({"self:end", "self:read"})
_READS = _SELF | frozenset(f"{noun}:read" for noun in (*_NOUNS, "usage", "workflows"))
_LOOKS = _READS - {"audit:read", "config:read", "keys:read", "people:read"}
_OPERATES = _READS | {
    "break-glass:approve",
    "break-glass:request",
    "config:reload",
    "evals:write",
    "keys:write",
    "moves:write",
    "models:write",
    "people:write",
    "plans:write",
    "providers:check",
    "workflows:write",
}
_LASTS = frozenset({"break-glass:approve", "keys:admin", "people:admin", "replicas:write", "scim:write"})
_OWNS = _OPERATES | _LASTS | {"bodies:erase", "bodies:read"}

PERMISSIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("owner", _OWNS),
    ("operator", _OPERATES),
    ("auditor", _READS),
    ("finance", _SELF | {"plans:write", "routes:read", "status:read", "usage:read"}),
    ("developer", _LOOKS | {"break-glass:request"}),
)
"""Strongest first. `keys:admin` is the right to make keys that have named rights, or whose own role may do something
here; `people:admin` the right to give people roles."""

_BORN: tuple[tuple[str, frozenset[str]], ...] = ((EMERGENCY, _OWNS - _LASTS), (PROVISIONER, frozenset({"scim:write"})))
"""Roles that nobody can be given."""

ROLES = tuple(name for name, _ in PERMISSIONS)


def permissions(role: str) -> frozenset[str]:
    """What a person of a role may do; nothing, where there is no such role."""
    return next((found for name, found in (*PERMISSIONS, *_BORN) if name == role), frozenset())


def key_permissions(role: str) -> frozenset[str]:
    """What a key of a role may do: an application's nothing, else what people of the role may."""
    return frozenset() if role == APPLICATION else permissions(role) & permissions("owner")


def demand(role: str, permission: str) -> None:
    """Raises Forbidden unless the role has the permission."""
    if permission not in permissions(role):
        able = ", ".join(sorted(name for name, found in PERMISSIONS if permission in found))
        raise Forbidden(f"the role {role!r} lacks {permission}", hint=f"use a key with the role {able}")


def strongest(roles: frozenset[str]) -> str:
    """The first of the table among these; empty where none is a role."""
    return next((name for name in ROLES if name in roles), "")
