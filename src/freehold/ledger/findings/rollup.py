"""What guards saw by the hour, out of rows of calls, so that a year of findings is not read call by call. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from freehold.ledger.intake.rows import Row

Sums = dict[tuple[object, ...], list[int]]
KEYS = ("hour", "guard", "digest", "route", "side", "detector", "kind")
SUMS = ("calls", "findings", "failed", "refused")
SIDES = ("request", "answer")
REFUSED = {"FH-POL-030": "request", "FH-POL-031": "answer"}
"""The side on which the guard refused a call, by the error that its caller was told."""
_HOUR_MS = 3_600_000
_decode = msgspec.json.decode


def by_hour(calls: Iterable[Row]) -> list[Row]:
    """One row for each hour, guard, route, side and what was found; its sums are to be added to what is stored.

    A row without a detector counts the calls that were looked at; one without a kind the calls its detector failed on.
    """
    found: Sums = {}
    for call in calls:
        if not call["scan"]:
            continue
        scan = _decode(call["scan"])
        if not scan.get("guard"):  # a label was lowered, and nothing looked at
            continue
        hour = int.from_bytes(call["id"][:6], "big") // _HOUR_MS
        about = (hour, scan["guard"], scan["guard_sha256"], call["route"])
        for side in SIDES:
            if side in scan:
                refused = int(REFUSED.get(call["error"]) == side)
                _add(found, (*about, side), scan[side], refused)
    return [dict(zip(KEYS + SUMS, (*key, *sums), strict=True)) for key, sums in found.items()]


def _add(into: Sums, about: tuple[object, ...], seen: dict[str, Any], refused: int) -> None:
    failed = seen["failed"]
    _sum(into, (*about, "", ""), (1, sum(seen["found"].values()), int(bool(failed)), refused))
    for name, count in seen["found"].items():
        detector, _, kind = name.partition("/")
        _sum(into, (*about, detector, kind), (1, count, 0, refused))
    for detector in failed:
        _sum(into, (*about, detector, ""), (1, 0, 1, refused))


def _sum(into: Sums, key: tuple[object, ...], more: tuple[int, ...]) -> None:
    sums = into.setdefault(key, [0, 0, 0, 0])
    for at, one in enumerate(more):
        sums[at] += one
