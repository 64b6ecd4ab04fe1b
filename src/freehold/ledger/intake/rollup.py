"""Usage by the hour and by the day out of rows of calls, so that a year is not read call by call. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from freehold.ledger.intake.rows import Row

_MICRO = 1_000_000
_HOUR_MS = 3_600_000
_DAY_HOURS = 24
KEYS = ("hour", "key_id", "team", "route", "workflow", "target", "outcome", "latency_step")
SUMS = (
    "calls",
    "input",
    "output",
    "cached",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "estimated",
    "cost_micro",
    "cost_pico",
    "what_if_micro",
    "what_if_pico",
    "what_if_cost_micro",
    "what_if_cost_pico",
    "what_if_calls",
)


def by_hour(calls: Iterable[Row]) -> list[Row]:
    """One row for each hour and combination of names; its sums are to be added to what is stored."""
    found: dict[tuple[object, ...], list[int]] = {}
    for call in calls:
        key = (
            int.from_bytes(call["id"][:6], "big") // _HOUR_MS,
            call["key_id"],
            call["team"],
            call["route"],
            call["workflow"],
            call["target"],
            call["outcome"],
            call["latency_step"],
        )
        sums = found.get(key)
        if sums is None:
            sums = found[key] = [0] * 12
        cost, what_if = call["cost"], call["what_if"]
        sums[0] += 1
        sums[1] += call["input"]
        sums[2] += call["output"]
        sums[3] += call["cached"]
        sums[4] += call["cache_write"]
        sums[5] += call["cache_write_1h"]
        sums[6] += call["reasoning"]
        sums[7] += call["estimated"]
        sums[8] += cost
        if what_if is not None:
            sums[9] += what_if
            sums[10] += cost
            sums[11] += 1
    return [_row(key, sums) for key, sums in found.items()]


def by_day(hours: Iterable[Row]) -> list[Row]:
    """The same sums by the day."""
    found: dict[tuple[object, ...], Row] = {}
    for hour in hours:
        key = (hour["hour"] // _DAY_HOURS, *(hour[name] for name in KEYS[1:]))
        day = found.get(key)
        if day is None:
            found[key] = {"day": key[0], **{name: hour[name] for name in KEYS[1:] + SUMS}}
        else:
            for name in SUMS:
                day[name] += hour[name]
    return list(found.values())


def _row(key: tuple[object, ...], sums: list[int]) -> Row:
    money = [part for amount in sums[8:11] for part in divmod(amount, _MICRO)]
    return dict(zip(KEYS + SUMS, (*key, *sums[:8], *money, sums[11]), strict=True))
