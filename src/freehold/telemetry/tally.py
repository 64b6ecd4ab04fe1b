"""Running sums for scrapes: hours that are over are summed once an hour, newer ones and new leaves at each look.

So a look costs what happened since, not a year of the ledger. Sums only grow while the process lives.
"""

from __future__ import annotations

import threading
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection

from freehold.core.money import from_pico
from freehold.ledger.records import seconds_of, step_of
from freehold.ledger.store import last_leaf
from freehold.telemetry import store

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds; of both histograms."""
MOST_NAMES = 200
"""Routes, and targets, that have series of their own; what is beyond is summed under `OTHER`."""
OTHER = "(other)"
UNKNOWN_ROUTE = "(unknown)"
"""Stands for names of models that callers asked for and that are no route."""
MOST_LEAVES = 100_000
_HOUR = 3600
_MICRO = 1_000_000
_STEPS = tuple(step_of(bound) for bound in BOUNDS)
_decode = msgspec.json.decode

Key = tuple[str, ...]


class Totals(msgspec.Struct, frozen=True):
    """What one look gave. Keys hold label values; flags are `true` or `false`."""

    calls: dict[Key, int]
    """By route, target, owned, outcome, own."""
    tokens: dict[Key, int]
    """By route, target, owned, own, kind."""
    dollars: dict[Key, Decimal]
    """By route, target, owned, own."""
    latency: dict[Key, tuple[dict[int, int], float]]
    """By route, owned: counts by index into `BOUNDS`, and the sum of seconds."""
    first_token: dict[Key, tuple[dict[int, int], float]]
    errors: dict[Key, int]
    """By code, outcome."""
    attempts: dict[Key, int]
    """By target, owned, outcome."""
    findings: dict[Key, int]
    """By detector, kind, side."""
    failed: dict[Key, int]
    """By detector, side."""


class Tally:
    """The sums of one process. `own_keys` are those whose calls are Freehold's own."""

    def __init__(self, own_keys: tuple[str, ...]) -> None:
        self._own_keys = own_keys
        self._lock = threading.Lock()
        self._over = 0
        self._settled: list[Any] = []
        self._owned: dict[str, bool] = {}
        self._leaf: int | None = None
        self._errors: Counter[Key] = Counter()
        self._attempts: Counter[Key] = Counter()
        self._findings: Counter[Key] = Counter()
        self._failed: Counter[Key] = Counter()
        self._first: dict[Key, tuple[dict[int, int], float]] = {}

    def look(self, connection: Connection, now: float) -> Totals:
        """Sums up to now (Unix seconds)."""
        with self._lock:
            self._follow(connection)
            return self._totals(self._hours(connection, now))

    def _hours(self, connection: Connection, now: float) -> list[Any]:
        over = int(now // _HOUR) - 1  # the hour before is left open for calls that end late
        if over != self._over:
            self._settled = store.hours(connection, 0, over, self._own_keys)
            self._over = over
            self._owned = {}
        rows = [*self._settled, *store.hours(connection, over, None, self._own_keys)]
        unseen = {one["target"] for one in rows if one["target"]} - self._owned.keys()
        self._owned.update(store.owned(connection, sorted(unseen)))
        return rows

    def _follow(self, connection: Connection) -> None:
        newest = last_leaf(connection)
        after = max(-1, newest - MOST_LEAVES) if self._leaf is None else self._leaf
        last = min(newest, after + MOST_LEAVES)
        self._leaf = last
        for code, outcome, count in store.errors(connection, after, last):
            self._errors[code, outcome] += count
        for target, owned, outcome, count in store.tried(connection, after, last):
            self._attempts[target, _flag(owned), outcome] += count
        for route, owned, step, count, seconds in store.first_tokens(connection, after, last, BOUNDS):
            _add(self._first, (route, _flag(owned)), step, count, seconds)
        for scan in store.scans(connection, after, last):
            self._found(_decode(scan))

    def _found(self, scan: dict[str, Any]) -> None:
        for side in ("request", "answer"):
            seen = scan.get(side)
            if seen is None:
                continue
            for name, count in seen["found"].items():
                detector, _, kind = name.partition("/")
                self._findings[detector, kind, side] += count
            for detector in seen["failed"]:
                self._failed[detector, side] += 1

    def _totals(self, rows: list[Any]) -> Totals:
        calls: Counter[Key] = Counter()
        tokens: Counter[Key] = Counter()
        pico: Counter[Key] = Counter()
        latency: dict[Key, tuple[dict[int, int], float]] = {}
        routes = _kept(one["route"] for one in rows if one["outcome"] != "refused")
        targets = _kept(one["target"] for one in rows)
        for one in rows:
            route, target = _route(one["route"], routes), one["target"]
            owned, own = _flag(self._owned.get(target, False)), _flag(one["own"])
            target = target if target in targets else OTHER
            calls[route, target, owned, one["outcome"], own] += int(one["calls"])
            for kind in ("input", "output", "cached", "reasoning"):
                tokens[route, target, owned, own, kind] += int(one[kind])
            pico[route, target, owned, own] += int(one["cost_micro"]) * _MICRO + int(one["cost_pico"])
            if one["target"]:
                step, count = one["latency_step"], int(one["calls"])
                at = next((index for index, bound in enumerate(_STEPS) if step <= bound), len(_STEPS))
                _add(latency, (route, owned), at, count, count * seconds_of(step))
        first: dict[Key, tuple[dict[int, int], float]] = {}
        for (route, owned), (counts, seconds) in self._first.items():
            for at, count in counts.items():
                _add(first, (_route(route, routes), owned), at, count, 0.0)
            _add(first, (_route(route, routes), owned), 0, 0, seconds)
        return Totals(
            calls=dict(calls),
            tokens=dict(tokens),
            dollars={key: from_pico(amount) for key, amount in pico.items()},
            latency=latency,
            first_token=first,
            errors=dict(self._errors),
            attempts=_bounded(self._attempts, targets),
            findings=dict(self._findings),
            failed=dict(self._failed),
        )


def _add(into: dict[Key, tuple[dict[int, int], float]], key: Key, step: int, count: int, seconds: float) -> None:
    counts, before = into.get(key, ({}, 0.0))
    counts[step] = counts.get(step, 0) + count
    into[key] = (counts, before + seconds)


def _kept(names: Any) -> frozenset[str]:
    return frozenset(sorted(set(names))[:MOST_NAMES])


def _route(name: str, known: frozenset[str]) -> str:
    if name in known:
        return name
    return UNKNOWN_ROUTE if len(known) < MOST_NAMES else OTHER


def _bounded(counts: Counter[Key], targets: frozenset[str]) -> dict[Key, int]:
    found: Counter[Key] = Counter()
    for (target, owned, outcome), count in counts.items():
        found[target if target in targets else OTHER, owned, outcome] += count
    return dict(found)


def _flag(value: object) -> str:
    return "true" if value else "false"
