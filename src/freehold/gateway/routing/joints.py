"""Composites, compiled: a joint stands where a target stands in a route, and leads to several.

A joint never stands in a call's plan: `course.lay` puts its targets there, each with what is to be done with its
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from freehold.core.errors import BadConfig
from freehold.core.label import Label
from freehold.gateway.prompt import prompt_of
from freehold.gateway.routing.difficulty import Scorer
from freehold.gateway.routing.types import Composite, Overlay, Watch
from freehold.policy.permits import Mint
from freehold.policy.types import Decision

if TYPE_CHECKING:
    from freehold.gateway.routing.table import Stop
    from freehold.grading.types import Answer

Agree = Callable[["Answer", "Answer"], bool]
Score = Callable[[bytes], float]
KINDS = (("agreement", 2), ("confidence", 1), ("difficulty", 1))
"""Kinds of composites, each with how many members it has."""
HELD = frozenset({"agreement", "confidence"})
"""Kinds whose members' answers are read whole before any of it is passed on."""


class Joint:
    """One composite, ready to be used."""

    __slots__ = ("agree", "composite", "escalate", "health", "held", "kind", "members", "name", "owned", "score")

    def __init__(
        self, composite: Composite, members: tuple[Stop, ...], escalate: Stop, agree: Agree, score: Score
    ) -> None:
        self.composite = composite
        self.name = composite.name
        self.kind = composite.kind
        self.members = members
        self.escalate = escalate
        self.agree = agree
        self.score = score
        self.held = composite.kind in HELD
        self.owned = all(stop.owned for stop in (*members, escalate))
        self.health = _Health(members, escalate)

    def decision(self, label: Label, mint: Mint) -> Decision:
        """May content with this label go into it at all? Its members together, or the target it escalates to."""
        last = self.escalate.decision(label, mint)
        refused = [one.reason for one in (stop.decision(label, mint) for stop in self.members) if not one.allowed]
        if not self.members:
            refused.append("its members are gone")
        if refused:
            return Decision(True, f"{self.escalate.name} alone: {refused[0]}") if last.allowed else last
        names = " and ".join(stop.name for stop in self.members)
        return Decision(True, f"{self.kind} of {names}, else {self.escalate.name if last.allowed else 'nothing'}")

    def members_serve(self, label: Label, mint: Mint, now: float) -> bool:
        """May every member take it, and does none rest or lack its key?"""
        return bool(self.members) and all(
            not stop.fault and stop.decision(label, mint).allowed and stop.health.breaker.allows(now)
            for stop in self.members
        )


class _Health:
    """What a joint looks like to whoever orders a tier: it rests where neither its members nor its resort answer."""

    __slots__ = ("_escalate", "_members")

    def __init__(self, members: tuple[Stop, ...], escalate: Stop) -> None:
        self._members = members
        self._escalate = escalate

    @property
    def breaker(self) -> _Health:
        """Itself: `allows` is all that is asked."""
        return self

    @property
    def in_flight(self) -> int:
        """Calls under way at the busiest of its targets."""
        return max(stop.health.in_flight for stop in (*self._members, self._escalate))

    @property
    def reason(self) -> str:
        """Why it rests."""
        return "its targets rest"

    def allows(self, now: float) -> bool:
        """May it be asked?"""
        resort = self._escalate.health.breaker.allows(now)
        return resort or (bool(self._members) and all(stop.health.breaker.allows(now) for stop in self._members))


class Move(msgspec.Struct, frozen=True):
    """What the routes snapshot wants done with one workflow's calls, beside what their route says."""

    overlay: Overlay | None = None
    way: Stop | Joint | None = None
    """Where the overlay leads."""
    watch: Watch | None = None


def compile_joints(composites: tuple[Composite, ...], stops: Mapping[str, Stop]) -> tuple[dict[str, Joint], list[str]]:
    """Joints by name, and what is wrong with some: without a member one always escalates, else it is left out.

    Moves make composites while targets come and go: one that does not hold must not keep all routes from changing.
    """
    found: dict[str, Joint] = {}
    faults: list[str] = []
    for one in composites:
        gone = [name for name in (*one.members, one.escalate) if name not in stops]
        if gone:
            faults.append(f"composite {one.name!r} needs a target that does not exist: {', '.join(gone)}")
        if one.escalate in gone:
            continue
        members = () if gone else tuple(stops[name] for name in one.members)
        try:
            _check(one, {**stops, **found})
            found[one.name] = Joint(one, members, stops[one.escalate], _agree(one), _score(one))
        except BadConfig as error:
            faults.append(error.message)
    return found, faults


def compile_moves(
    overlays: tuple[Overlay, ...], watches: tuple[Watch, ...], ways: Mapping[str, Stop | Joint]
) -> tuple[dict[str, Move], list[str]]:
    """Moves by workflow, and overlays left out, whose workflows' calls go their route's own way: with a target that
    is gone, or a second one for a workflow.
    """
    found: dict[str, Move] = {}
    faults: list[str] = []
    for overlay in overlays:
        way = ways.get(overlay.target)
        if overlay.workflow in found:
            faults.append(f"a second overlay for the workflow {overlay.workflow!r}, to {overlay.target!r}")
        elif way is None:
            faults.append(f"overlay of {overlay.workflow!r} leads to {overlay.target!r}, which does not exist")
        else:
            found[overlay.workflow] = Move(overlay, way)
    for watch in watches:
        before = found.get(watch.workflow, Move())
        found[watch.workflow] = msgspec.structs.replace(before, watch=watch)
    return found, faults


def _check(one: Composite, taken: Mapping[str, Stop | Joint]) -> None:
    """Raises BadConfig for a name that is taken, or a wrong number of members."""
    if one.name in taken:
        raise BadConfig(f"composite {one.name!r} has the name of another target")
    if len(one.members) != dict(KINDS).get(one.kind):
        raise BadConfig(f"composite {one.name!r} of the kind {one.kind!r} cannot have {len(one.members)} members")


def _agree(composite: Composite) -> Agree:
    """The composite's grader, which is loaded only where one is used."""
    if composite.kind != "agreement":
        return lambda first, second: False
    if composite.grader is None:
        raise BadConfig(f"composite {composite.name!r} names no grader to tell agreement by")
    from freehold.grading.registry import agree

    spec = composite.grader
    return lambda first, second: agree(spec, first, second)


def _score(composite: Composite) -> Score:
    """The composite's scorer of requests: difficulty, in [0, 1], of what their user said last."""
    if composite.kind != "difficulty":
        return lambda body: 0.0
    try:
        scorer = Scorer.loads(composite.weights)
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadConfig(f"composite {composite.name!r} has weights that are none: {error}") from None
    return lambda body: scorer.difficulty(prompt_of(body).last)
