"""Canonical JSON (RFC 8785 for the values we sign: no floats): sorted keys, no spaces, UTF-8."""

from __future__ import annotations

import json


def canonical(value: object) -> bytes:
    """The one byte string for a JSON value. Raises TypeError on floats: sign decimals as strings."""
    _no_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _no_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("floats have no canonical form here; use a string or an integer")
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise TypeError("keys must be strings")
            _no_floats(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _no_floats(one)
