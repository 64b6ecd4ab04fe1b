"""Google's `Schema`, a part of OpenAPI's, as JSON Schema: for targets that know no other. Pure.

Source: https://ai.google.dev/api/caching#Schema. The names of types are in capitals there, `nullable` is a member, and
whole numbers may be strings. What has no twin (`propertyOrdering`) only tells an order, and is left out.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.gateway.json_read import BROKEN

_MAPS = ("properties", "$defs", "defs")
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_LEFT_OUT = frozenset({"nullable", "propertyOrdering", "property_ordering"})
_NAMES = {
    "any_of": "anyOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "additional_properties": "additionalProperties",
}


def json_schema(raw: Raw) -> Raw:
    """The schema as JSON Schema; what is no schema stays as it is."""
    try:
        return Raw(msgspec.json.encode(_plain(msgspec.json.decode(raw))))
    except BROKEN:
        return raw


def _plain(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        name = _NAMES.get(str(key)) or str(key)
        if name in _LEFT_OUT:
            continue
        if name in _MAPS and isinstance(value, dict):
            found[name] = {inner: _plain(one) for inner, one in value.items()}
        elif name == "anyOf" and isinstance(value, list):
            found[name] = [_plain(one) for one in value]
        elif name in {"items", "additionalProperties"}:
            found[name] = _plain(value)
        elif name == "type":
            found[name] = _type(value)
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal():
            found[name] = int(value)
        elif name == "example":
            found["examples"] = [value]
        else:
            found[name] = value
    return _nullable(found) if schema.get("nullable") is True else found


def _type(value: Any) -> Any:
    if isinstance(value, list):
        return [_type(one) for one in value]
    return value.lower() if isinstance(value, str) else value


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
