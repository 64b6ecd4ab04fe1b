"""Engines that moves asked for go when nothing needs them, and nothing else goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from freehold.core import db
from freehold.core.crypto import Identity, write_private
from freehold.gateway.routing.types import Arm, Composite, Route, Routes
from freehold.moves import store
from freehold.moves.engines import HELD_SECONDS, coming, routed, sweep, take_up
from freehold.moves.machine import begin
from freehold.moves.types import Event, Move
from freehold.registry.artefacts import Store
from freehold.registry.trained import Product, admit_trained
from freehold.serving.wanted import STANDING, Phase, Standing, Wanted, listed, want
from tests.moves.sample import PLAN, RULE, WINDOW


class Home:
    """A folder with moves, and the engines they asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = db.connect(db.url_of(folder / "freehold.db"))
        db.upgrade(self.engine)

    def move(self, id: str, *events: tuple[str, dict[str, Any]], target: str = "owned-a", **plan: str) -> Move:  # noqa: A002
        """A move that asked for an engine, with what happened to it after."""
        made = begin(id, WINDOW, RULE, replace(PLAN, workflow=f"wf_{id}", candidate="", **plan))
        with db.writing(self.engine) as connection:
            store.add(connection, made, "ann")
            for kind, content in (("tuned", {"target": target, "artefact": "a"}), *events):
                made = store.append(connection, made, Event(made.events, WINDOW, kind, "ann", content))
        want(self.folder, Wanted(name=target, model="a", by=id))
        return made

    def swept(self, kept: tuple[str, ...] = (), now: float = WINDOW) -> tuple[str, ...]:
        return sweep(self.folder, self.engine, lambda: kept, now)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.engine.dispose()


def to(stage: str) -> tuple[str, dict[str, Any]]:
    return "stage", {"to": stage}


@pytest.mark.parametrize("stage", ["refused", "rolled_back"])
def test_an_ended_move_lets_go_of_its_engine_however_it_ended(home: Home, stage: str) -> None:
    home.move("mv_1", to(stage))
    assert home.swept() == ("owned-a",)
    assert listed(home.folder) == {}
    assert home.swept() == ()


@pytest.mark.parametrize("stage", ["tuned", "shadow", "canary", "owned"])
def test_a_move_under_way_keeps_its_engine(home: Home, stage: str) -> None:
    home.move("mv_1", to(stage))
    assert home.swept() == ()


def test_an_engine_of_a_move_that_ended_before_it_was_tuned_goes_too(home: Home) -> None:
    home.move("mv_1", to("refused"), target="owned-a")
    want(home.folder, Wanted(name="owned-b", model="b", by="mv_1"))
    assert home.swept() == ("owned-a", "owned-b")


def test_what_a_person_deployed_stays(home: Home) -> None:
    home.move("mv_1", to("refused"))
    want(home.folder, Wanted(name="owned-a", model="a"))
    assert home.swept() == ()


def test_an_engine_stays_that_another_move_or_a_route_names(home: Home) -> None:
    home.move("mv_1", to("refused"))
    assert home.swept(kept=("owned-a",)) == ()
    home.move("mv_2", target="owned-b", incumbent="owned-a")
    assert home.swept() == ()
    with db.writing(home.engine) as connection:
        other = store.load(connection, "mv_2")
        store.append(connection, other, Event(other.events, WINDOW, "stage", "ann", {"to": "refused"}))
    assert home.swept() == ("owned-a", "owned-b")


def test_a_move_held_for_good_lets_go_unless_it_serves(home: Home) -> None:
    home.move("mv_1", to("shadow"), ("held", {"why": "later"}))
    home.move("mv_2", to("canary"), ("held", {"why": "later"}), target="owned-b")
    assert home.swept(now=WINDOW + HELD_SECONDS) == ()
    assert home.swept(now=WINDOW + HELD_SECONDS + 1) == ("owned-a",)
    assert set(listed(home.folder)) == {"owned-b"}


def test_who_goes_on_asks_again_and_is_not_measured_until_its_engine_is_up(home: Home) -> None:
    models = Store(home.folder / "store", Identity.load(home.folder / "identity.key"))
    file = home.folder / "a.json"
    file.write_text("{}")
    admit_trained(models, Product(name="a", kind="classifier", format="json", files=(file,), recipe="classifier",
                                  dataset_sha256="00"), 0.0)  # fmt: skip
    move = home.move("mv_1", to("shadow"), ("held", {"why": "later"}))
    assert not take_up(home.folder, models, move), "it is there still"
    home.swept(now=WINDOW + HELD_SECONDS + 1)
    assert take_up(home.folder, models, move)
    wish, stamp = listed(home.folder)["owned-a"]
    assert wish is not None
    assert wish.by == "mv_1"
    assert coming(home.folder, move)
    phases: tuple[tuple[Phase, bool], ...] = (("starting", True), ("ready", False), ("failed", False))
    for phase, waits in phases:
        told = Standing(name="owned-a", model="a", phase=phase, stamp=stamp)
        write_private(home.folder / "run" / STANDING, msgspec.json.encode((told,)))
        assert coming(home.folder, move) == waits


def test_routes_name_the_targets_of_their_steps_and_of_composites() -> None:
    route = Route(name="r", tiers=((Arm("owned-a"), Arm("b")), (Arm("c"),)))
    composite = Composite(name="d", kind="confidence", members=("owned-e",), escalate="f")
    assert routed(Routes(routes=(route,), composites=(composite,))) == {"owned-a", "b", "c", "owned-e", "f"}
    assert routed(Routes()) == set()
