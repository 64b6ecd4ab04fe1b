"""JSON Schemas for constrained decoding by a small model: the caller's schema, with an end to everything. Pure.

A model constrained to a free string or a free list may never close it; a bound it did not have is added, one it had
stays. Only ever narrows: what fits the result fits the caller's schema.
"""

from __future__ import annotations

from typing import Any

MAX_CHARACTERS = 200
MAX_ITEMS = 8

_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not")


def bounded(schema: Any, base: str = "#") -> Any:
    """The schema with bounds, and with its local references moved to start at `base`."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            found[key] = {name: bounded(one, base) for name, one in value.items()}
        elif key in _LISTS and isinstance(value, list):
            found[key] = [bounded(one, base) for one in value]
        elif key in _SINGLES:
            found[key] = bounded(value, base)
        elif key == "$ref" and isinstance(value, str) and value.startswith("#"):
            found[key] = base + value[1:]
        elif key != "pattern" or _anchored(value):  # the engine refuses a pattern that may match in the middle
            found[key] = value
    kinds = _kinds(schema)
    if "string" in kinds and not found.keys() & {"enum", "const", "pattern", "format", "maxLength"}:
        found["maxLength"] = max(MAX_CHARACTERS, _count(schema.get("minLength")))
    if "array" in kinds and not found.keys() & {"enum", "const", "maxItems", "prefixItems"}:
        found["maxItems"] = max(MAX_ITEMS, _count(schema.get("minItems")))
    if "object" in kinds and "properties" in schema and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


def _kinds(schema: dict[str, Any]) -> set[str]:
    told = schema.get("type")
    return {one for one in told if isinstance(one, str)} if isinstance(told, list) else {str(told)}


def _anchored(pattern: Any) -> bool:
    return isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$")


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
