"""Queries about who may do what: keys, people, break-glass, money. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from freehold.assurance.evidence.asking import Judged, Query, each, there
from freehold.assurance.evidence.facts import Facts, GlassFact, KeyFact, PersonFact
from freehold.assurance.evidence.types import Finding

IDLE_DAYS = 90
"""PCI DSS 4.0.1, requirement 8.2.6: accounts are removed or disabled within 90 days of inactivity."""
SECRET_DAYS = 365
"""Ours: a secret that opened a key for longer is due to be rotated."""


def _active(facts: Facts) -> Sequence[KeyFact]:
    return [one for one in there(facts.keys) if one.active and one.role != "service"]


def _key(one: KeyFact) -> str:
    return f"keys/{one.name}"


def _end(facts: Facts) -> Judged:
    return each(
        _active(facts), lambda one: "" if one.expires_at else "it never ends", _key, "active keys: end at a fixed time"
    )


def _scoped(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: "it may name every route" if "*" in one.routes else "",
        _key,
        "active keys: may name chosen routes only",
    )


def _plain(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: f"it holds {', '.join(one.rights)} for good" if one.rights else "",
        _key,
        "active keys: hold no named right for good",
    )


def _labelled(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: "what it sends has no label: it counts as unknown" if one.label.startswith("unknown") else "",
        _key,
        "active keys: have a label for what they send",
    )


def _bounded(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: "" if one.limited or one.budgets else "neither requests, tokens nor money are limited",
        _key,
        "active keys: have a limit or a budget",
    )


def _used(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: f"not used for {one.idle_days} days" if one.idle_days > IDLE_DAYS else "",
        _key,
        f"active keys: were used, or made, in the last {IDLE_DAYS} days",
    )


def _rotated(facts: Facts) -> Judged:
    return each(
        _active(facts),
        lambda one: f"its secret is {one.secret_days} days old" if one.secret_days > SECRET_DAYS else "",
        _key,
        f"active keys: have a secret of at most {SECRET_DAYS} days",
    )


def _sign_in(facts: Facts) -> Judged:
    settings = facts.settings
    assert settings is not None
    people = [one for one in there(facts.people) if one.active]
    said = f"{len(people)} people may sign in at an issuer" if settings.sign_in else "no issuer is set: nobody signs in"
    found = () if settings.sign_in else (Finding("settings/sign_in", "people share the instance's own token"),)
    return Judged(looked_at=max(1, len(people)), said=said, findings=found)


def _left(facts: Facts) -> Judged:
    def why(one: PersonFact) -> str:
        return f"{one.sessions} sessions of theirs still count" if one.sessions else ""

    gone = [one for one in there(facts.people) if not one.active]
    return each(gone, why, lambda one: f"people/{one.id}", "people who were taken out: have no session left")


def _present(facts: Facts) -> Judged:
    def why(one: PersonFact) -> str:
        return f"no sign-in for {one.idle_days} days" if one.idle_days > IDLE_DAYS else ""

    people = [one for one in there(facts.people) if one.active]
    return each(people, why, lambda one: f"people/{one.id}", f"people: signed in during the last {IDLE_DAYS} days")


def _two(facts: Facts) -> Judged:
    def why(one: GlassFact) -> str:
        if one.approved_by and one.approved_by == one.asked_by:
            return "asked for and approved by the same person"
        if one.state in ("active", "over") and not one.approved_by:
            return "it came into force and nobody approved it"
        return "" if one.why else "it gives no reason"

    what = "uses of break-glass: were asked for with a reason and approved by a second person"
    return each(there(facts.break_glass), why, lambda one: f"break_glass/{one.id}", what)


QUERIES = (
    Query(
        name="break_glass_two",
        asked="Was every emergency right asked for with a reason and approved by somebody else?",
        records=("break_glass",),
        judge=_two,
    ),
    Query(name="keys_bounded", asked="Is every active key limited in use?", records=("keys",), judge=_bounded),
    Query(name="keys_end", asked="Does every active key end by itself?", records=("keys",), judge=_end),
    Query(
        name="keys_labelled",
        asked="Is it known of every active key how sensitive what it sends is?",
        records=("keys",),
        judge=_labelled,
    ),
    Query(name="keys_plain", asked="Does no key hold a special right for good?", records=("keys",), judge=_plain),
    Query(
        name="keys_rotated",
        asked=f"Is no key's secret older than {SECRET_DAYS} days?",
        records=("keys",),
        judge=_rotated,
    ),
    Query(name="keys_scoped", asked="Is every active key held to chosen routes?", records=("keys",), judge=_scoped),
    Query(
        name="keys_used",
        asked=f"Was every active key used in the last {IDLE_DAYS} days?",
        records=("keys",),
        judge=_used,
    ),
    Query(
        name="leavers_out",
        asked="Is everybody who was taken out signed out too?",
        records=("people",),
        judge=_left,
    ),
    Query(
        name="people_present",
        asked=f"Did everybody who may sign in do so in the last {IDLE_DAYS} days?",
        records=("people",),
        judge=_present,
    ),
    Query(
        name="people_sign_in",
        asked="Do people sign in as themselves?",
        records=("people", "settings"),
        judge=_sign_in,
    ),
)
