"""Rows for `calls` and `attempts` out of ended and refused calls. Pure; the same frames give the same rows.

Rows are plain dicts in storage form: this runs for every call, so nothing is built twice.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from freehold.core.money import ZERO, to_pico
from freehold.ledger.frames import Attempt, Close, Open, Refused, Tried
from freehold.ledger.intake.facts import Facts, FactsAt, TargetFacts
from freehold.ledger.intake.join import Ended
from freehold.ledger.intake.scans import scan_text
from freehold.ledger.meter import Usage, charge
from freehold.ledger.receipts import FORM
from freehold.ledger.records import step_of
from freehold.ledger.standing import PASSED

Row = dict[str, Any]

_LONGEST_NAME = 256


class Loadable(msgspec.Struct, frozen=True):
    """One call ready to be stored, but for its leaf."""

    call: Row
    attempts: list[Row]
    cost: Decimal
    budgets: tuple[str, ...]
    subject: str = ""
    """Whom the call is about, in plain; the row gets its digest with the leaf."""


def clean(name: str) -> str:
    """A name that came from a caller, as it may be stored: bounded, without what a database refuses."""
    return name[:_LONGEST_NAME].replace("\0", "")


def ended_rows(ended: Ended, epoch: str, facts_at: FactsAt) -> Loadable:
    """The rows of a call that was sent somewhere."""
    close = ended.close
    begun = ended.begun or [_unknown(close)]
    opened: Open = begun[0]  # type: ignore[assignment]  # a call begins with its Open
    facts = facts_at(opened.routes_version)
    tried = close.tried
    passed = epoch.startswith(PASSED)
    attempts = [_attempt_row(one, facts, passed=passed) for one in tried]
    at = next((place for place in range(len(tried) - 1, -1, -1) if tried[place].outcome == "ok"), len(tried) - 1)
    last = attempts[at] if attempts else _nowhere(begun[-1].target, facts)
    latency = max(close.at - opened.at, 0.0)
    baseline = facts.baselines.get(opened.route) if tried else None
    row = {
        "id": opened.call,
        "at": opened.at,
        "latency": latency,
        "latency_step": step_of(latency),
        "first_token": last["first_token"],
        "epoch": epoch,
        "key_id": opened.key_id,
        "team": opened.team,
        "route": clean(opened.route),
        "dialect": opened.dialect,
        "stream": opened.stream,
        "label": opened.label,
        "workflow": clean(opened.workflow),
        "target": last["target"],
        "owned": last["owned"],
        "region": last["region"],
        "outcome": close.outcome,
        "status": close.status,
        "error": close.error,
        "policy_version": opened.policy_version,
        "routes_version": opened.routes_version,
        **{name: last[name] for name in _TOKENS},
        "estimated": last["estimated"],
        "reserved": to_pico(begun[-1].reserved),
        "cost": to_pico(close.cost),
        "price_source": last["price_source"],
        "price_as_of": last["price_as_of"],
        "what_if": None if baseline is None else to_pico(charge(tried[at].usage, baseline.rate)),
        "what_if_target": "" if baseline is None else baseline.target,
        "what_if_source": "" if baseline is None else baseline.source,
        "attempts": len(tried),
        "request_sha256": opened.request_sha256,
        "response_sha256": close.response_sha256,
        "delivered": close.delivered,
        "dropped": ",".join(close.dropped).replace("\0", ""),
        "scanned": close.scanned,
        "budgets": ",".join(opened.budgets),
        "scan": scan_text(opened.scan, close.scan),
        "trace": opened.trace,
        **_served(facts.target(last["target"])),
    }
    if len(attempts) > 1:
        for name in _TOKENS:
            row[name] = sum(one[name] for one in attempts)
        row["estimated"] = any(one["estimated"] for one in attempts)
    return Loadable(row, attempts, close.cost, opened.budgets, subject_of(opened.subject, opened.team, opened.key_id))


def refused_rows(refused: Refused, epoch: str) -> Loadable:
    """The row of a call that was answered without sending anything anywhere."""
    row = {
        **_NOTHING_SENT,
        "id": refused.call,
        "at": refused.at,
        "epoch": epoch,
        "key_id": refused.key_id,
        "team": refused.team,
        "route": clean(refused.route),
        "dialect": refused.dialect,
        "label": refused.label,
        "workflow": clean(refused.workflow),
        # What the gateway answered by itself, such as a count of tokens by rule of thumb, is no refusal.
        "outcome": "ok" if refused.status < 400 else "refused",
        "status": refused.status,
        "error": refused.error,
        "policy_version": refused.policy_version,
        "routes_version": refused.routes_version,
        "scan": scan_text(refused.scan, None),
        "trace": refused.trace,
    }
    if refused.scan is not None and refused.scan.guard:
        row["scanned"] = refused.scan.characters
    return Loadable(row, [], ZERO, (), subject_of("", refused.team, refused.key_id))


def subject_of(named: str, team: str, key_id: str) -> str:
    """Whom a call is about: the person its caller named, within the caller's team; else the key itself."""
    return f"person/{clean(team)}/{clean(named)}" if named else f"key/{key_id}"


_TOKENS = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
_NOTHING_SENT: Row = {
    **dict.fromkeys(_TOKENS, 0),
    **dict.fromkeys(("target", "region", "price_source", "price_as_of", "what_if_target", "what_if_source"), ""),
    **dict.fromkeys(("subject", "provider", "model", "model_digest"), ""),
    "form": FORM,
    "latency": 0.0,
    **dict.fromkeys(("latency_step", "reserved", "cost", "attempts", "delivered"), 0),
    **dict.fromkeys(("stream", "owned", "estimated"), False),
    **dict.fromkeys(("first_token", "what_if"), None),
    "request_sha256": b"",
    "response_sha256": b"",
    "dropped": "",
    "budgets": "",
    "scanned": -1,
}


def _served(target: TargetFacts) -> Row:
    """What answered, and the form of the statement; the subject comes with the leaf."""
    names = {"provider": target.provider, "model": target.model, "model_digest": target.digest}
    return {**names, "form": FORM, "subject": ""}


def _attempt_row(tried: Tried, facts: Facts, *, passed: bool = False) -> Row:
    target = facts.target(tried.target)
    price = target.batch_price if passed and target.batch_price is not None else target.price
    usage = tried.usage
    return {
        "number": tried.number,
        "target": tried.target,
        "owned": target.owned,
        "region": target.region,
        "started": tried.started,
        "first_token": tried.first_token,
        "ended": tried.ended,
        "outcome": tried.outcome,
        "status": tried.status,
        "error": tried.error,
        "input": usage.input,
        "output": usage.output,
        "cached": usage.cached,
        "cache_write": usage.cache_write,
        "cache_write_1h": usage.cache_write_1h,
        "reasoning": usage.reasoning,
        "estimated": usage.estimated,
        "cost": to_pico(tried.cost),
        "price_source": price.source,
        "price_as_of": price.as_of,
    }


def _nowhere(target: str, facts: Facts) -> Row:
    return _attempt_row(Tried(0, target, 0.0, None, 0.0, "", 0, Usage(), ZERO), facts)


def _unknown(close: Close) -> Open | Attempt:
    """Stands for an opening that no journal holds any more, so that the money still counts."""
    target = close.tried[-1].target if close.tried else ""
    return Open(close.call, close.at, "", "", "", "", False, "unknown", "", target, 0, 0, close.cost, (), b"")
