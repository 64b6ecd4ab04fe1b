"""What an owner should know of a valid policy: papers that ended, rows to be read anew, clearances in vain. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import msgspec

from freehold.core.label import Label, Level
from freehold.policy.decide import decide
from freehold.policy.residency import LOCAL, normal
from freehold.policy.targets import Target
from freehold.policy.types import Policy, Where
from freehold.policy.vendors import behind, stale

SOON_DAYS = 30


class Remark(msgspec.Struct, frozen=True):
    """One thing to look at."""

    about: str
    message: str
    fix: str


def review(policy: Policy, targets: Sequence[Target], today: date) -> tuple[Remark, ...]:
    """Every remark, by what it is about."""
    found = [*_door(policy), *_papers(policy, today), *_rows(policy, targets, today), *_vain(policy, targets, today)]
    return tuple(sorted(found, key=lambda one: (one.about, one.message)))


def _door(policy: Policy) -> Iterator[Remark]:
    if policy.closed:
        message = f"no rented target may take anything: {policy.closed}"
        yield Remark("[policy]", message, "mend that, and take the line out")


def _papers(policy: Policy, today: date) -> Iterator[Remark]:
    day, soon = today.isoformat(), (today + timedelta(days=SOON_DAYS)).isoformat()
    for one in policy.facts:
        if one.certainty != "contract":
            continue
        if one.until and one.until < day:
            yield Remark(one.party, f"ended: {one.cite()}", "renew it, or take it out")
        elif one.until and one.until <= soon:
            yield Remark(one.party, f"ends within {SOON_DAYS} days: {one.cite()}", "renew it in time")
        elif one.as_of > day:
            yield Remark(one.party, f"has not begun: {one.cite()}", "it counts from that day on")


def _rows(policy: Policy, targets: Sequence[Target], today: date) -> Iterator[Remark]:
    late = behind(policy.facts, today.isoformat())
    if late is not None:
        yield Remark("clock", f"today is said to be {today}, before {late.cite()}", "set this machine's clock")
    used = {one.offering for one in targets if not one.owned}
    for one in stale(policy.facts, today):
        if one.party in used:
            yield Remark(one.party, f"not read again for long: {one.cite()}", "read the page, and write a contract row")


def _vain(policy: Policy, targets: Sequence[Target], today: date) -> Iterator[Remark]:
    """Clearances that the other rules leave nothing of."""
    where = Where(today=today.isoformat())
    for one in targets:
        cleared = one.clearance if one.clearance.level != Level.UNKNOWN else Label(Level.RESTRICTED)
        found = decide(cleared, one, policy, where)
        if not found.allowed:
            home = one.owned and normal(one.region) == LOCAL and found.rule == "narrowed"
            fix = f"see: freehold policy explain {one.name} --label {cleared}"
            fix = 'say where this machine stands: [policy] home = "EU"' if home else fix
            yield Remark(f"[targets.{one.name}]", f"would be refused what it is cleared for: {found.reason}", fix)
