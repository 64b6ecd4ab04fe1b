"""Facts about keys, people and break-glass. People are told by their ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from freehold.assurance.evidence import store
from freehold.assurance.evidence.facts import GlassFact, KeyFact, PersonFact
from freehold.core.clock import iso
from freehold.identity import store as identity
from freehold.identity.keys import Key, state
from freehold.identity.people import break_glass as glass
from freehold.identity.people import store as known
from freehold.identity.people.types import BreakGlass
from freehold.identity.types import Keys

DAY = 86400.0


def keys(connection: Connection, now: float, told: Keys) -> tuple[KeyFact, ...]:
    """Every key, by name. `told` is what the data plane knows of them."""
    used = store.last_calls(connection)
    budgets = {one.key_id: one.budgets for one in told.principals}
    found = sorted(identity.everything(connection), key=lambda one: (one.name, one.id))
    return tuple(_key(one, now, used, budgets.get(one.id, ())) for one in found)


def _key(one: Key, now: float, used: Mapping[str, float], budgets: Sequence[str]) -> KeyFact:
    made = max((each.made_at for each in one.secrets), default=one.created_at)
    return KeyFact(
        id=one.id,
        name=one.name,
        team=one.team,
        role=one.role,
        label=str(one.label),
        routes=tuple(sorted(one.routes)),
        rights=tuple(sorted(one.rights)),
        active=state(one, now) not in ("revoked", "expired"),
        expires_at=iso(one.expires_at) if one.expires_at else "",
        secret_days=_days(now, made),
        idle_days=_days(now, used.get(one.id, one.created_at)),
        limited=one.requests_per_minute is not None or one.tokens_per_minute is not None,
        budgets=tuple(sorted(budgets)),
    )


def people(connection: Connection, now: float) -> tuple[PersonFact, ...]:
    """Everybody, by id."""
    lasting = known.lasting_sessions(connection, now)
    return tuple(
        PersonFact(
            id=one.id,
            active=one.active and one.revoked_at is None,
            sessions=lasting.get(one.id, 0),
            idle_days=_days(now, one.created_at if one.signed_in_at is None else one.signed_in_at),
        )
        for one in sorted(known.everybody(connection), key=lambda one: one.id)
    )


def break_glass(connection: Connection, now: float) -> tuple[GlassFact, ...]:
    """Every break-glass there ever was, by id."""
    found: Iterable[BreakGlass] = known.every_break_glass(connection)
    return tuple(
        GlassFact(
            id=one.id,
            right=one.right,
            state=glass.state(one, now),
            asked_by=one.asked_by,
            approved_by=one.approved_by,
            why=bool(one.why.strip()),
        )
        for one in sorted(found, key=lambda one: one.id)
    )


def _days(now: float, then: float) -> int:
    return max(0, int((now - then) // DAY))
