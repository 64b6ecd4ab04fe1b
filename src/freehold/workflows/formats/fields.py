"""Reading fields tolerantly: other names, JSON inside strings, times in any unit. What does not fit is absent."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

from freehold.workflows.formats.types import Json

_decode = msgspec.json.Decoder().decode
BROKEN = (msgspec.DecodeError, UnicodeError, RecursionError)

_EARLIEST = 946_684_800.0
"""2000-01-01: nothing recorded is older, so a smaller number is no time."""
_LATEST = 4_102_444_800.0
"""2100-01-01."""


def text(one: Json, *names: str) -> str:
    """The first of the fields that is a text with something in it."""
    for name in names:
        found = one.get(name)
        if isinstance(found, str) and found:
            return found
    return ""


def number(one: Json, *names: str) -> float | None:
    """The first of the fields that is a finite number, or the text of one."""
    for name in names:
        found = one.get(name)
        if isinstance(found, bool) or found is None:
            continue
        try:
            value = float(found)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value):
            return value
    return None


def count(one: Json, *names: str) -> int | None:
    """The first of the fields that counts something."""
    found = number(one, *names)
    return int(found) if found is not None and 0 <= found < 1 << 53 else None


def parsed(value: Any) -> Any:
    """JSON out of a text that holds an object or an array; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return _decode(value.encode())
        except BROKEN:
            return value
    return value


def mapping(one: Json, *names: str) -> Json:
    """The first of the fields that is an object, or the JSON text of one; empty where there is none."""
    for name in names:
        found = parsed(one.get(name))
        if isinstance(found, dict) and found:
            return found
    return {}


def sequence(one: Json, *names: str) -> list[Any]:
    """The first of the fields that is a list, or the JSON text of one."""
    for name in names:
        found = parsed(one.get(name))
        if isinstance(found, list):
            return found
    return []


def seconds(value: Any) -> float | None:
    """Unix seconds out of ISO text (UTC where it names no zone) or a number of s, ms, us or ns."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        found = _read_time(value.strip())
    elif isinstance(value, int | float):
        found = _scaled(float(value)) if math.isfinite(value) else None
    else:
        return None
    return found if found is not None and _EARLIEST <= found < _LATEST else None


def when(one: Json, *names: str) -> float | None:
    """The first of the fields that is a time."""
    for name in names:
        found = seconds(one.get(name))
        if found is not None:
            return found
    return None


def between(start: float | None, end: float | None) -> float | None:
    """Seconds from one time to a later one, to the microsecond."""
    return None if start is None or end is None or end < start else round(end - start, 6)


def labelled(one: Json, *names: str) -> str:
    """The first text among the members of metadata-like objects."""
    for name in names:
        found = one.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def _read_time(value: str) -> float | None:
    try:
        return _scaled(float(value))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, OSError, ValueError):
        return None


def _scaled(value: float) -> float | None:
    """By size: seconds stay below 10**11 until the year 5138."""
    if not math.isfinite(value):
        return None
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)):
        if abs(value) < limit:
            return value / unit
    return value / 1e9
