"""A course: a call's plan where a move or a composite has a say in it. Pure.

Each stop of the plan has a step that says what is special about it, or None. Fail closed: a stop that may not take
the call's label is never in a plan, and where none is left the call is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.core.errors import NoPermittedTarget
from freehold.core.label import Label
from freehold.gateway.routing.joints import Joint, Move
from freehold.gateway.routing.table import Stop
from freehold.policy.permits import Mint

OVERLAY, MEMBER, ESCALATE = "overlay", "member", "escalate"
_LINES = (
    (OVERLAY, b""),
    (MEMBER, b"x-freehold-composite: served\r\n"),
    (ESCALATE, b"x-freehold-composite: escalated\r\n"),
)


class Step(msgspec.Struct, frozen=True):
    """What is special about one stop of a plan."""

    role: str
    """`overlay`, `member` or `escalate`."""
    onward: int
    """Where to go on in the plan when this one fails, or does not suffice. May lie beyond its end."""
    joint: Joint | None = None
    number: int = 0
    """Which member it is, from 0."""

    @property
    def held(self) -> bool:
        """Is its answer read whole, and weighed before anything of it is passed on?"""
        return self.joint is not None and self.joint.held and self.role == MEMBER

    @property
    def lenient(self) -> bool:
        """Does whatever goes wrong here lead on, rather than to the caller?"""
        return self.role != ESCALATE

    @property
    def line(self) -> bytes:
        """The header line that tells which way a composite went."""
        return dict(_LINES)[self.role]


class Asked(msgspec.Struct, frozen=True):
    """What a course depends on of a call."""

    label: Label
    mint: Mint
    now: float
    body: bytes
    whole: bool
    """Can its answer be weighed: a chat with one choice?"""


class Course(msgspec.Struct, frozen=True):
    """A plan with its steps."""

    plan: tuple[Stop, ...]
    steps: tuple[Step | None, ...]
    spare: int
    """Attempts it adds to what the route allows."""


def lay(ways: Sequence[Stop | Joint], first: Stop | Joint | None, asked: Asked) -> Course:
    """The plan through `ways`, with `first` before them. Raises NoPermittedTarget where nothing is left."""
    stops: list[Stop] = []
    steps: list[Step | None] = []
    if isinstance(first, Joint):
        _through(first, asked, stops, steps)
    elif first is not None:
        stops.append(first)
        steps.append(Step(OVERLAY, 1))
    for way in ways:
        if isinstance(way, Joint):
            _through(way, asked, stops, steps)
        elif not any(stop is way and (step is None or not step.held) for stop, step in zip(stops, steps, strict=True)):
            stops.append(way)
            steps.append(None)
    if not stops:
        reasons = sorted({way.decision(asked.label, asked.mint).reason for way in ways})
        raise NoPermittedTarget("; ".join(reasons) or "no target is left")
    spare = sum(step is not None and step.lenient for step in steps)
    return Course(tuple(stops), tuple(steps), spare)


def leads(move: Move, asked: Asked) -> bool:
    """May an overlay's target be asked now: allowed for the label, and not at rest?"""
    way = move.way
    return way is not None and way.decision(asked.label, asked.mint).allowed and way.health.breaker.allows(asked.now)


def _through(joint: Joint, asked: Asked, stops: list[Stop], steps: list[Step | None]) -> None:
    """Put a joint's targets at the end of the plan: its members where they may and can be asked, then its resort."""
    members = joint.members if _members_asked(joint, asked) else ()
    onward = len(stops) + len(members)
    for number, stop in enumerate(members):
        stops.append(stop)
        steps.append(Step(MEMBER, onward, joint, number))
    if joint.escalate.decision(asked.label, asked.mint).allowed:
        stops.append(joint.escalate)
        steps.append(Step(ESCALATE, onward + 1, joint))


def _members_asked(joint: Joint, asked: Asked) -> bool:
    if not joint.members_serve(asked.label, asked.mint, asked.now):
        return False
    if joint.held:
        return asked.whole
    return joint.score(asked.body) < joint.composite.threshold
