"""The simulations of a plan, each by itself, so that any pool may do them: every fleet, for every volume of traffic.

Pure. Two rounds: volumes besides a trace's own, and shared machines, are simulated once it is known what that needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from freehold.jobs.pool import Pool
from freehold.planner.fleet import smallest
from freehold.planner.packing import Packed, Tenant, Way, packed
from freehold.planner.staircase import VOLUMES, scaled, staircase
from freehold.planner.traffic import Trace
from freehold.planner.types import Fleet, Slo, Speed
from freehold.planner.work import FLEETS, FleetKind, Staircase

Tell = Callable[[float, str], None]
SHARED: tuple[Way, ...] = ("adapters", "together")
"""Ways to share machines, beside one fleet each."""


class Site(msgspec.Struct, frozen=True, eq=False):
    """Traffic, and one replica of what would serve it."""

    name: str
    trace: Trace
    speed: Speed


class Alone(msgspec.Struct, frozen=True, eq=False):
    """A question: the smallest fleet of a kind for a multiple of a site's traffic."""

    site: Site
    slo: Slo
    kind: FleetKind
    volume: float = 1.0


class Beside(msgspec.Struct, frozen=True, eq=False):
    """Another: one way to serve several workflows, given the static fleet of each by itself."""

    way: Way
    tenants: tuple[Tenant, ...]
    fleets: Mapping[str, Fleet]
    slo: Slo


class Fleets(msgspec.Struct, frozen=True, eq=False):
    """What was asked for: of each site its staircases in the order of `FLEETS`; the ways to share, where there are."""

    stairs: tuple[tuple[Staircase, ...], ...]
    packed: tuple[Packed, ...] = ()


def answered(asked: Alone | Beside) -> Fleet | Packed:
    """The answer to one question."""
    if isinstance(asked, Beside):
        return packed(asked.way, asked.tenants, asked.fleets, asked.slo)
    site = asked.site
    return smallest(scaled(site.trace, asked.volume), site.speed, asked.slo, asked.kind)


def fleets(sites: Sequence[Site], slo: Slo, pool: Pool, tell: Tell, tenants: Sequence[Tenant] = ()) -> Fleets:
    """All staircases; with `tenants`, who are the first sites in their order, the ways to serve them all as well."""
    volumes = sum(len(VOLUMES[kind]) for kind in FLEETS)
    desk = _Desk(pool, tell, len(sites) * volumes + (len(SHARED) if tenants else 0))
    now = {(at, kind): Alone(site, slo, kind) for at, site in enumerate(sites) for kind in FLEETS}
    found = dict(zip(now, desk.ask(list(now.values())), strict=True))
    alone = {one.name: found[at, "static"] for at, one in enumerate(tenants)}
    beside = [Beside(way, tuple(tenants), alone, slo) for way in SHARED] if tenants else []
    more = {
        (at, kind, volume): Alone(sites[at], slo, kind, volume)
        for (at, kind), fleet in found.items()
        for volume in VOLUMES[kind]
        if volume != 1.0 and fleet.meets
    }
    answers = desk.ask([*beside, *more.values()])
    others = dict(zip(more, answers[len(beside) :], strict=True))

    def stairs(at: int, kind: FleetKind) -> Staircase:
        fleets = {volume: others[at, kind, volume] for volume in VOLUMES[kind] if (at, kind, volume) in others}
        return staircase(kind, {1.0: found[at, kind], **fleets})

    return Fleets(
        tuple(tuple(stairs(at, kind) for kind in FLEETS) for at in range(len(sites))),
        (packed("apart", tenants, alone, slo), *answers[: len(beside)]) if tenants else (),
    )


class _Desk:
    """Has questions answered, and tells how far that is."""

    def __init__(self, pool: Pool, tell: Tell, total: int) -> None:
        self._pool, self._tell, self._total = pool, tell, total
        self._done, self._words = 0, "fleets"

    def ask(self, questions: Sequence[Alone | Beside]) -> list[Any]:
        """The answers, in the order of the questions."""
        found = []
        for one, answer in zip(questions, self._pool.map(answered, questions, self._tick), strict=True):
            self._done += 1
            self._words = f"{one.kind} fleet" if isinstance(one, Alone) else one.way
            found.append(answer)
        return found

    def _tick(self) -> None:
        self._tell(self._done / self._total, self._words)
