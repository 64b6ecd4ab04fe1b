"""Engines that moves asked for: which are needed still, and letting go of the rest.

What a person deployed is never touched. Run again after any interruption, letting go comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from sqlalchemy import Engine

from freehold.core.db import reading
from freehold.gateway.routing.types import Routes
from freehold.moves import store
from freehold.moves.types import SERVING, Move
from freehold.registry.artefacts import Store
from freehold.serving.wanted import Wanted, listed, standing, unwant, want

HELD_SECONDS = 7 * 86400.0
"""A move that was held this long, and serves nobody, does not keep its engine in memory any longer."""


def working(moves: Iterable[Move], now: float) -> list[Move]:
    """Those moves under way that need what they asked for, or soon will."""
    return [one for one in moves if not one.ended and not _at_rest(one, now)]


def targets_of(moves: Iterable[Move]) -> set[str]:
    """Every target or composite that these moves name."""
    return {name for one in moves for name in (one.candidate, one.member, one.plan.candidate, one.plan.incumbent)}


def routed(routes: Routes) -> set[str]:
    """Targets that a person's routes and composites lead to."""
    arms = {arm.target for route in routes.routes for tier in route.tiers for arm in tier}
    return arms.union(*({*one.members, one.escalate} for one in routes.composites))


def unneeded(home: Path, engine: Engine, kept: Callable[[], Collection[str]], now: float) -> dict[str, int]:
    """Engines that a move asked for and that no move under way, and nothing in `kept`, names: name and stamp."""
    # Wishes first, moves after: a move is written down before it wishes, so no wish of a new one looks forsaken.
    asked = {name: (wish.by, stamp) for name, (wish, stamp) in listed(home).items() if wish is not None and wish.by}
    if not asked:
        return {}
    with reading(engine) as connection:
        live = working(store.active(connection), now)
    ids, named = {one.id for one in live}, targets_of(live) | set(kept())
    return {name: stamp for name, (by, stamp) in asked.items() if by not in ids and name not in named}


def sweep(home: Path, engine: Engine, kept: Callable[[], Collection[str]], now: float) -> tuple[str, ...]:
    """Let go of every engine that is not needed; their names. Artefacts stay in the store."""
    gone = []
    for name, stamp in unneeded(home, engine, kept, now).items():
        if listed(home).get(name, (None, 0))[1] == stamp and unwant(home, name):  # nobody wished for it meanwhile
            gone.append(name)
    return tuple(gone)


def take_up(home: Path, models: Store, move: Move) -> bool:
    """Ask again for the engine of a move that goes on after a long hold; False where it was there, or none is needed.

    Raises NotFound where its artefact was removed from the store.
    """
    target = move.member or move.candidate
    if not move.artefact or not target or target in listed(home):
        return False
    made = models.show(move.artefact)
    want(home, Wanted(name=target, model=made.name, sha256=made.files[0].sha256, by=move.id))
    return True


def coming(home: Path, move: Move) -> bool:
    """True while the engine that the move asked for has yet to come up: nobody is to be measured by its absence."""
    name = move.member or move.candidate
    wish, stamp = listed(home).get(name, (None, 0))
    if wish is None or not move.artefact:
        return False
    told = next((one for one in standing(home) if one.name == name and one.stamp == stamp), None)
    return told is None or told.phase == "starting"


def _at_rest(move: Move, now: float) -> bool:
    return bool(move.held) and move.stage not in SERVING and now - move.held_at > HELD_SECONDS
