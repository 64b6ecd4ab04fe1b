"""Break-glass: a right for a while, asked for by one person and approved by another.

Nobody approves their own; nothing is prolonged; what it gives ends by the clock, whether or not anybody ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from freehold.core.errors import BadRequest, Conflict
from freehold.identity.errors import NotAPerson, SamePerson
from freehold.identity.people.types import BreakGlass
from freehold.identity.rights import NAMES
from freehold.identity.types import Grant

OWNER = "owner"
RIGHTS = (*sorted(NAMES), OWNER)
WAIT_SECONDS = 3600.0
"""How long a request waits for the second person."""
LEAST_SECONDS = 60.0
LONGEST_SECONDS = 86400.0 + WAIT_SECONDS
"""Whatever was asked for longer ago than this is over."""


def state(one: BreakGlass, now: float) -> str:
    """`waiting`, `lapsed` (nobody approved in time), `active`, `over` (its time is) or `ended`."""
    if one.ended_at is not None:
        return "ended"
    if one.until is None:
        return "waiting" if now < one.asked_at + WAIT_SECONDS else "lapsed"
    return "active" if now < one.until else "over"


def asked(one: BreakGlass, role: str, most_seconds: float) -> BreakGlass:
    """The request where it may be made; `role` is its asker's. Raises BadRequest, Conflict, NotAPerson."""
    if not one.asked_by:
        raise NotAPerson("break-glass is asked for by a person")
    if one.right not in RIGHTS:
        hint = f"ask for one of {', '.join(RIGHTS)}"
        raise BadRequest(f"there is no right {one.right!r}", hint=hint, param="right")
    if (one.right == OWNER) == bool(one.key):
        told = "goes to the person who asks, not to a key" if one.right == OWNER else "is a key's: name the key"
        hint = "such as: freehold people break-glass request declassify --key NAME"
        raise BadRequest(f"the right {one.right!r} {told}", hint=hint, param="key")
    if not LEAST_SECONDS <= one.seconds <= most_seconds:
        told = f"between {LEAST_SECONDS:g} and {most_seconds:g} seconds"
        hint = "ask for less time, or raise [identity] break_glass_minutes"
        raise BadRequest(f"a break-glass lasts {told}", hint=hint, param="seconds")
    if one.right == OWNER and role == OWNER:
        raise Conflict("who asks is an owner already", hint="do it as yourself")
    return one


def approved(one: BreakGlass, person: str, now: float) -> BreakGlass:
    """The same, in force from `now`. Raises NotAPerson, SamePerson, Conflict."""
    if not person:
        raise NotAPerson("break-glass is approved by a person")
    if person == one.asked_by:
        raise SamePerson("who asks for a break-glass does not approve it")
    if state(one, now) != "waiting":
        raise Conflict(f"this break-glass is {state(one, now)}", hint="ask anew: freehold people break-glass request")
    return replace(one, approved_by=person, approved_at=now)


def ended(one: BreakGlass, actor: str, now: float) -> BreakGlass:
    """The same, ended or withdrawn. Raises Conflict where it is over already."""
    if state(one, now) not in ("waiting", "active"):
        raise Conflict(f"this break-glass is {state(one, now)} already", hint="nothing is left to end")
    return replace(one, ended_by=actor, ended_at=now)


def owner_by(every: Iterable[BreakGlass], person: str, now: float) -> BreakGlass | None:
    """The break-glass by which a person is an owner at `now`."""
    mine = (one for one in every if one.right == OWNER and one.asked_by == person)
    return next((one for one in mine if state(one, now) == "active"), None)


def grants(every: Sequence[BreakGlass], now: float) -> dict[str, tuple[Grant, ...]]:
    """By key id: the rights that keys hold for a while, as the data plane is told them."""
    found: dict[str, list[Grant]] = {}
    for one in every:
        if one.key and one.until is not None and state(one, now) == "active":
            found.setdefault(one.key, []).append(Grant(one.right, one.until))
    return {key: tuple(sorted(of, key=lambda grant: (grant.right, grant.until))) for key, of in found.items()}
