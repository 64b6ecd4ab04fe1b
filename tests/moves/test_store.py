"""Moves in the database: one under way a workflow, events in turn, pairs once, the same move after any reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from freehold.core import db
from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.grading.types import Spec
from freehold.moves import desk, store
from freehold.moves.desk import Act
from freehold.moves.settings import MoveSettings
from freehold.moves.types import Event, Move, Pair, Plan
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

PLAN = Plan(workflow="wf_a", incumbent="rented", candidate="owned-a")
RULE = desk.rule_of(MoveSettings(), Spec("label", {"case": False}), 100.0, {})
NOW = Act("key/ann", 120.0, "because")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = db.connect(db.url_of(tmp_path / "freehold.db"))
    db.upgrade(made)
    yield made
    made.dispose()


def begun(engine: Engine, number: int = 1) -> Move:
    with db.writing(engine) as connection:
        return desk.start(connection, bytes([number]) * 16, RULE, PLAN, NOW)


def pair(number: int, **more: object) -> Pair:
    values = {"at": 101.0 + number, "stage": "shadow", "served": "incumbent", "candidate": 1.0, "incumbent": 1.0}
    return Pair(record=number.to_bytes(16, "big"), valid=True, **(values | more))


def test_a_workflow_has_one_move_under_way(engine: Engine) -> None:
    first = begun(engine)
    with pytest.raises(Conflict):
        begun(engine, 2)
    with db.writing(engine) as connection:
        desk.rollback(connection, first, NOW)
    second = begun(engine, 2)
    with db.reading(engine) as connection:
        assert store.latest(connection, "wf_a").id == second.id
        assert [one.id for one in store.active(connection)] == [second.id]
        assert desk.current(connection, first.id).stage == "refused"


def test_a_loaded_move_is_the_fold_of_its_events(engine: Engine) -> None:
    move = begun(engine)
    steps = [
        ("stage", {"to": "tuned"}),
        ("tuned", {"target": "owned-b", "artefact": "intents-1"}),
        ("stage", {"to": "shadow", "pairs": 0}),
        ("stage", {"to": "canary", "share": 0.05, "step": 0, "pairs": 7}),
        ("held", {"why": "a look"}),
    ]
    for kind, content in steps:
        with db.writing(engine) as connection:
            move = store.append(connection, move, Event(move.events, 130.0, kind, "x", content))
    with db.reading(engine) as connection:
        assert store.load(connection, move.id) == move
    assert (move.stage, move.share, move.stage_pairs, move.held, move.candidate) == (
        "canary",
        0.05,
        7,
        "a look",
        "owned-b",
    )


def test_who_decides_on_an_old_state_writes_nothing(engine: Engine) -> None:
    move = begun(engine)
    with db.writing(engine) as connection:
        store.append(connection, move, Event(1, 130.0, "held", "one", {"why": "first"}))
    with pytest.raises(Conflict), db.writing(engine) as connection:
        store.append(connection, move, Event(1, 131.0, "held", "two", {"why": "second"}))
    with db.reading(engine) as connection:
        assert [one.actor for one in store.events(connection, move.id)] == ["key/ann", "one"]


def test_pairs_count_once_and_keep_their_order(engine: Engine) -> None:
    move = begun(engine)
    with db.writing(engine) as connection:
        assert store.add_pairs(connection, move.id, [pair(1), pair(2)], bytes(15) + b"\2") == 2
    with db.writing(engine) as connection:
        assert store.add_pairs(connection, move.id, [pair(2, candidate=0.0), pair(3)], bytes(15) + b"\3") == 1
    with db.reading(engine) as connection:
        assert store.pairs_of(connection, move.id) == [pair(1), pair(2), pair(3)]
        assert store.cursor(connection, move.id) == bytes(15) + b"\3"


def test_the_cursor_never_goes_back(engine: Engine) -> None:
    move = begun(engine)
    for looked_at in (bytes(15) + b"\5", bytes(15) + b"\4"):
        with db.writing(engine) as connection:
            store.add_pairs(connection, move.id, [], looked_at)
    with db.reading(engine) as connection:
        assert store.cursor(connection, move.id) == bytes(15) + b"\5"


def test_people_approve_what_waits_and_promote_what_is_held(engine: Engine) -> None:
    move = begun(engine)
    for refused in (
        lambda connection: desk.approve(connection, move, NOW),
        lambda connection: desk.promote(connection, move, NOW, without_proof=False),
        lambda connection: desk.promote(connection, move, NOW, without_proof=True),
    ):
        with pytest.raises(Conflict), db.writing(engine) as connection:
            refused(connection)
    with db.writing(engine) as connection:
        held = desk.hold(connection, move, NOW)
        free = desk.promote(connection, held, NOW, without_proof=False)
    assert (held.held, free.held) == ("because", "")


def test_a_step_without_proof_needs_a_reason_and_is_written_down_as_such(engine: Engine) -> None:
    move = begun(engine)
    with db.writing(engine) as connection:
        move = store.append(connection, move, Event(1, 130.0, "stage", "x", {"to": "shadow", "pairs": 0}))
    with pytest.raises(BadRequest), db.writing(engine) as connection:
        desk.promote(connection, move, replace(NOW, why=""), without_proof=True)
    with db.writing(engine) as connection:
        move = desk.promote(connection, move, NOW, without_proof=True)
    assert move.stage == "canary"
    with db.reading(engine) as connection:
        last = store.events(connection, move.id)[-1]
    assert (last.actor, last.content["verdict"], last.content["why"]) == ("key/ann", desk.BY_HAND, "because")


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    shares = ({"steps": [0.5, 0.2]}, {"steps": [1.0]}, {"holdback": 1.5}, {"sample": -0.1})
    numbers = ({"margin": 0}, {"alpha": 2}, {"margin": "wide"}, {"step_pairs": 0}, {"patience": float("nan")})
    words = ({"approvals": ["nonsense"]}, {"budget": "abc"}, {"budget": "-3"}, {"budget": "nan"}, {"wokers": 1})
    for change in (*shares, *numbers, *words):
        with pytest.raises(BadRequest):
            desk.rule_of(MoveSettings(), Spec("label"), 100.0, change)


def test_a_rule_changes_its_digest_with_any_of_its_values() -> None:
    changed = desk.rule_of(MoveSettings(), Spec("label", {"case": False}), 100.0, {"margin": 0.02})
    assert changed.digest() != RULE.digest()
    assert desk.rule_of(MoveSettings(), Spec("label", {"case": False}), 100.0, {}).digest() == RULE.digest()


def test_no_move_is_told_with_the_command_that_starts_one(engine: Engine) -> None:
    with pytest.raises(NotFound) as caught, db.reading(engine) as connection:
        desk.current(connection, "wf_none")
    assert "freehold moves start wf_none" in caught.value.hint
