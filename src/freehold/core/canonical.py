"""Canonical JSON (RFC 8785 for the values we sign: no floats): sorted keys, no spaces, UTF-8.

`exact` admits finite floats, as the shortest text that reads back equal (Python's `repr`).
"""

from __future__ import annotations

import json


def canonical(value: object) -> bytes:
    """The one byte string for a JSON value. Raises TypeError on floats: sign decimals as strings."""
    _no_floats(value)
    return exact(value)


def exact(value: object) -> bytes:
    """As `canonical`, with floats. Raises ValueError on infinities and what is no number."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


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
