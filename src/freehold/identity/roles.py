"""Which role may do what on the management API. A role without an entry may do nothing there."""

from __future__ import annotations

from freehold.core.errors import Forbidden

_NOUNS = ("audit", "calls", "config", "evals", "keys", "models", "moves", "receipts", "routes", "status", "usage")
_READS = frozenset(f"{noun}:read" for noun in (*_NOUNS, "workflows"))
_OPERATES = _READS | {
    "config:reload",
    "evals:write",
    "keys:write",
    "moves:write",
    "models:write",
    "providers:check",
    "workflows:write",
}

PERMISSIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("auditor", _READS),
    ("developer", frozenset()),
    ("finance", frozenset({"routes:read", "status:read", "usage:read"})),
    ("operator", _OPERATES),
    ("owner", _OPERATES | {"bodies:erase", "bodies:read", "keys:admin"}),
)
"""`keys:admin` is the right to make keys that have named rights, or whose own role may do something here."""

ROLES = tuple(name for name, _ in PERMISSIONS)


def permissions(role: str) -> frozenset[str]:
    """What a role may do; nothing, where there is no such role."""
    return next((found for name, found in PERMISSIONS if name == role), frozenset())


def demand(role: str, permission: str) -> None:
    """Raises Forbidden unless the role has the permission."""
    if permission not in permissions(role):
        able = ", ".join(name for name, found in PERMISSIONS if permission in found)
        raise Forbidden(f"the role {role!r} lacks {permission}", hint=f"use a key with the role {able}")
