"""After a refused classifier a more careful move is proposed: once, with a rule of its own, and only where it helps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from freehold.core import db
from freehold.core.ids import IdMaker
from freehold.moves import store
from freehold.moves.machine import begin, fact
from freehold.moves.proposals import propose
from freehold.moves.types import Event, Move
from tests.moves.sample import PLAN, RULE, WINDOW

NOW = WINDOW + 500
AUTO = replace(PLAN, candidate="", recipe="classifier", auto=True)
TRUSTED = [{"bound": 0.01, "threshold": 0.97, "answers": 0.4}, {"bound": 0.03, "threshold": 0.9, "answers": 0.7},
           {"bound": 0.1, "threshold": 0.6, "answers": 0.9}]  # fmt: skip
REFUSED = ("stage", {"to": "refused", **fact("evaluation", -0.08, -0.03, "worse than the margin")})


class Desk:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.queued: list[str] = []
        self.ids = IdMaker(lambda: NOW)

    def move(self, *events: tuple[str, dict[str, Any]], plan: Any = AUTO, trusted: Any = TRUSTED) -> Move:
        made = begin("mv_1", WINDOW, RULE, plan)
        tuned = ("tuned", {"target": "owned-a", "artefact": "a", "metrics": {"trusted": trusted}})
        with db.writing(self.engine) as connection:
            store.add(connection, made, "ann")
            for kind, content in (tuned, *events):
                made = store.append(connection, made, Event(made.events, WINDOW, kind, "x", content))
        return made

    def look(self) -> int:
        def queue(_connection: Connection, move: str) -> None:
            self.queued.append(move)

        return propose(self.engine, self.ids, queue, NOW)

    def newest(self) -> Move:
        with db.reading(self.engine) as connection:
            found = store.latest(connection, "wf_a")
        assert found is not None
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    engine = db.connect(db.url_of(tmp_path / "freehold.db"))
    db.upgrade(engine)
    yield Desk(engine)
    engine.dispose()


@pytest.mark.parametrize("metric", ["evaluation", "futility"])
def test_it_is_proposed_once_with_a_rule_of_its_own_and_waits_for_a_person(desk: Desk, metric: str) -> None:
    before = desk.move(("stage", {"to": "refused", **fact(metric, 1, 1, "worse")}))
    assert desk.look() == 1
    made = desk.newest()
    assert made.id != before.id
    assert desk.queued == [made.id]
    assert (made.plan.escalate, made.plan.recipe, made.plan.auto) == (0.9, "classifier", False)
    assert (made.rule.alpha, made.rule.approvals, made.rule.window_until) == (RULE.alpha / 2, ("shadow",), NOW)
    assert replace(made.rule, alpha=RULE.alpha, approvals=(), window_until=WINDOW) == before.rule
    with db.reading(desk.engine) as connection:
        assert store.load(connection, before.id) == before, "nothing happened to the one that was refused"
        told = store.events(connection, made.id)[-1]
    assert (told.kind, told.actor, told.content["after"]) == ("proposed", "auto", before.id)
    assert desk.look() == 0


@pytest.mark.parametrize(
    "given",
    [
        {"plan": replace(AUTO, auto=False)},
        {"plan": replace(AUTO, escalate=0.8)},
        {"trusted": []},
        {"trusted": TRUSTED[2:]},
    ],
)
def test_nothing_is_proposed_where_it_was_not_auto_or_no_confidence_can_be_trusted(desk: Desk, given: Any) -> None:
    desk.move(REFUSED, **given)
    assert desk.look() == 0


@pytest.mark.parametrize(
    "last",
    [
        ("stage", {"to": "refused", **fact("rollback", 1, 1, "a person's wish")}),
        ("stage", {"to": "refused", "why": "training is not allowed"}),
        ("stage", {"to": "rolled_back", **fact("harm", 2e5, 25_000, "worse")}),
        ("stage", {"to": "shadow"}),
    ],
)
def test_nothing_is_proposed_after_a_person_or_another_reason_ended_it(desk: Desk, last: Any) -> None:
    desk.move(last)
    assert desk.look() == 0
