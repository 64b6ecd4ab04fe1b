"""What the ledger says about calls, as values: a call with its attempts, filters, and usage by group.

Pure. Percentiles come from latency steps a twelfth of a doubling wide, so they are right within 3 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from freehold.ledger.meter import Usage

_FINEST = 0.0001
_STEPS_PER_DOUBLING = 12

Group = Literal["team", "workflow", "target", "route", "key", "day"]
GROUPS: tuple[Group, ...] = ("day", "key", "route", "target", "team", "workflow")


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a call. Times in seconds from the call's start, money in dollars."""

    number: int
    target: str
    owned: bool
    region: str
    started: float
    first_token: float | None
    ended: float
    outcome: str
    status: int
    error: str
    usage: Usage
    cost: Decimal
    price_source: str
    price_as_of: str


class BodyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """That a body was kept, and until when; `erased_at` where it is gone."""

    side: str
    label: str
    size: int
    kept_at: float
    retention_until: float
    erased_at: float | None
    erased_why: str


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call as the ledger keeps it. `at` in Unix seconds, other times in seconds from it, money in dollars."""

    id: str
    leaf: int
    at: float
    latency: float
    first_token: float | None
    key_id: str
    team: str
    route: str
    dialect: str
    stream: bool
    label: str
    workflow: str
    target: str
    owned: bool
    region: str
    outcome: str
    status: int
    error: str
    policy_version: int
    routes_version: int
    usage: Usage
    reserved: Decimal
    cost: Decimal
    price_source: str
    price_as_of: str
    what_if: Decimal | None
    what_if_target: str
    what_if_source: str
    attempts: int
    request_sha256: str
    response_sha256: str
    delivered: int
    dropped: tuple[str, ...]
    scanned: int
    scan: dict[str, Any] | None
    """What a guard saw and found, in the request and in the answer, and which right lowered the label; None where no
    guard looked and no label was lowered.
    """
    budgets: tuple[str, ...]
    trace: str = ""
    """Trace and span of the caller, joined by `-`, where it sent a `traceparent`."""


class CallDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One call with its attempts and its bodies."""

    call: CallRecord
    attempts: tuple[AttemptRecord, ...]
    bodies: tuple[BodyRecord, ...]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls. Empty fields do not filter; `since` and `until` are Unix seconds, the latter excluded."""

    key_id: str = ""
    team: str = ""
    route: str = ""
    target: str = ""
    workflow: str = ""
    same: tuple[str, ...] = ()
    """Other ids and names of that workflow, under which calls were recorded as well."""
    outcome: str = ""
    since: float | None = None
    until: float | None = None


class Page(msgspec.Struct, frozen=True):
    """Calls, newest first, and the cursor of the next page (empty at the end)."""

    calls: tuple[CallRecord, ...]
    cursor: str


class Sorting(msgspec.Struct, frozen=True, kw_only=True):
    """How calls are told apart in usage."""

    own_keys: tuple[str, ...] = ()
    """Keys whose calls are Freehold's own: evaluations, shadows, judges."""
    workflows: Mapping[str, str] = {}
    """Of an id or name under which calls were recorded: the id it stands for now."""
    percentiles: bool = True
    """Without them many groups are summed much faster; they are 0 then."""


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one group. `group` holds the values asked for, in the order asked. Latencies in seconds."""

    group: tuple[str, ...]
    own: bool = False
    """Of Freehold's own calls (evaluations, shadows, judges), which are never summed up with callers'."""
    names: tuple[str, ...] = ()
    """The group in people's words: a workflow's name in place of its id."""
    calls: int
    errors: int
    usage: Usage
    cost: Decimal
    what_if: Decimal | None
    """What the calls with a baseline would have cost there; None where no call had one: unknown is not nothing."""
    what_if_cost: Decimal
    """What those same calls did cost, so that the two can be compared."""
    what_if_calls: int
    """How many calls that were."""
    p50: float
    p95: float


def step_of(seconds: float) -> int:
    """The latency step a time falls in; 0 is a tenth of a millisecond or less."""
    if seconds <= _FINEST:
        return 0
    return min(round(math.log2(seconds / _FINEST) * _STEPS_PER_DOUBLING), 32767)


def seconds_of(step: int) -> float:
    """The middle of a latency step."""
    return float(_FINEST * 2 ** (step / _STEPS_PER_DOUBLING))


def percentile(steps: dict[int, int], share: float) -> float:
    """Seconds below which `share` of the counted calls stay; 0 where there are none."""
    rank = math.ceil(sum(steps.values()) * share)
    seen = 0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= rank:
            return seconds_of(step)
    return 0.0
