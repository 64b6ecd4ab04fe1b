"""Attributes with dotted names as nested objects, and back. Pure."""

from __future__ import annotations

from typing import Any

from freehold.workflows.formats.types import Json

_DEEPEST = 24


def flat(value: Json) -> Json:
    """Dotted names for nested objects and for lists of objects; other values as they are."""
    found: Json = {}
    _flatten(value, "", found, 0)
    return found


def nested(attributes: Json) -> Json:
    """Objects for dotted names; members named by numbers from 0 on are lists."""
    found: Json = {}
    for name, value in attributes.items():
        parts = name.split(".")[:_DEEPEST]
        at = found
        for part in parts[:-1]:
            inner = at.get(part)
            if not isinstance(inner, dict):
                inner = at[part] = {}
            at = inner
        if not isinstance(at.get(parts[-1]), dict):
            at[parts[-1]] = value
    return {name: _listed(one) for name, one in found.items()}


def numbered(attributes: Json, prefix: str, inside: str = "") -> list[Json]:
    """Members `prefix.N.inside.*` by N, each with the names that follow; also where `prefix` itself is a list."""
    found: dict[int, Json] = {}
    start = prefix + "."
    whole = attributes.get(prefix)
    if isinstance(whole, list):
        found = {at: flat(one) for at, one in enumerate(whole) if isinstance(one, dict)}
    for name, value in attributes.items():
        if name.startswith(start):
            at, _, rest = name[len(start) :].partition(".")
            if at.isdecimal() and len(at) < 6 and rest:
                found.setdefault(int(at), {})[rest] = value
    cut = inside + "."
    return [{name.removeprefix(cut): one for name, one in found[at].items()} for at in sorted(found)]


def _flatten(value: Any, prefix: str, found: Json, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            _flatten(one, f"{prefix}.{name}" if prefix else name, found, depth + 1)
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for at, one in enumerate(value):
            _flatten(one, f"{prefix}.{at}", found, depth + 1)
    elif prefix:
        found[prefix] = value


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inside = {name: _listed(one) for name, one in value.items()}
    if inside and all(name.isdecimal() and len(name) < 6 for name in inside):
        return [inside[name] for name in sorted(inside, key=int)]
    return inside
