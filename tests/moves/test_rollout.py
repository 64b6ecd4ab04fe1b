"""Whole rollouts against a table of answers: to owned by proof, back by harm, and on after any interruption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from freehold.core import db
from freehold.evals.errors import DoorClosed
from freehold.evals.proof.validity import FAULTS
from freehold.grading.types import Answer
from freehold.moves import desk, store
from freehold.moves.rollout import ROUND, Parts, Rollout, run
from freehold.moves.types import Event, Move
from freehold.workflows.records import Record
from freehold.workflows.store import Which
from tests.moves.sample import PLAN, RULE, WINDOW, Door, move, record
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE


class Shelf:
    """Records in memory, as the shelf gives them."""

    def __init__(self) -> None:
        self.all: list[Record] = []

    def records(self, which: Which, after: bytes = b"") -> Iterator[Record]:
        assert which.workflow == "wf_a"
        until = which.until if which.until is not None else float("inf")
        yield from (one for one in sorted(self.all, key=lambda one: one.id) if one.id > after and one.at < until)


class Bench:
    """A rollout with everything around it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shelf = Shelf()
        self.wrong: set[int] = set()
        self.door = Door(self.says)
        self.published: list[tuple[str, float]] = []
        self.gold: dict[bytes, Answer] = {}
        self.released: list[str] = []
        self.coming = False
        self.sent = 0
        self.rollout = self.fresh()

    def fresh(self) -> Rollout:
        return Rollout(
            Parts(
                engine=self.engine,
                shelf=self.shelf,  # type: ignore[arg-type]  # what it needs of a shelf
                door=self.door,  # type: ignore[arg-type]
                publish=self.publish,
                members=lambda move: (move.candidate,),
                gold=lambda _workflow: self.gold.get,
                coming=lambda _move: self.coming,
                release=lambda: self.released.append(self.now().candidate),
                clock=lambda: WINDOW + 1e6,
            )
        )

    def says(self, target: str, question: str) -> str:
        number = int(question.split()[1])
        return "no" if target == "owned-a" and number in self.wrong else "yes"

    def publish(self) -> None:
        now = self.now()
        self.published.append((now.stage, now.share))

    def now(self) -> Move:
        with db.reading(self.engine) as connection:
            return store.load(connection, "mv_1")

    def begin(self, at: Move) -> None:
        with db.writing(self.engine) as connection:
            store.add(connection, replace(at, stage="observed", events=1), "ann")
            now = store.load(connection, "mv_1")
            for kind, content in (("tuned", {"target": "owned-a"}), ("stage", {"to": at.stage, "share": at.share})):
                now = store.append(connection, now, Event(now.events, WINDOW, kind, "ann", content))

    def serve(self, count: int, targets: Sequence[str] = ("rented",)) -> None:
        """Calls as the gateway would have recorded them."""
        for number in range(self.sent, self.sent + count):
            target = targets[number % len(targets)]
            self.shelf.all.append(record(number, self.says(target, f"question {number}"), target))
        self.sent += count

    def work(self) -> None:
        run(self.rollout, self.engine, lambda: None, rounds=500)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    engine = db.connect(db.url_of(tmp_path / "freehold.db"))
    db.upgrade(engine)
    yield Bench(engine)
    engine.dispose()


def test_a_good_candidate_is_carried_to_owned_and_each_step_is_published(bench: Bench) -> None:
    bench.begin(move("shadow"))
    bench.wrong = set(range(99, 5000, 400))
    for _ in range(40):
        bench.serve(50, ("rented", "owned-a") if bench.now().share else ("rented",))
        bench.work()
        if bench.now().stage == "owned":
            break
    assert bench.published == [("canary", 0.05), ("canary", 0.25), ("canary", 0.5), ("owned", 0.98)]


def test_a_bad_candidate_never_serves(bench: Bench) -> None:
    bench.begin(move("shadow"))
    bench.wrong = set(range(0, 5000, 4))
    bench.serve(1000)
    bench.work()
    assert bench.now().stage == "refused"
    assert [share for _, share in bench.published] == [0.0]
    assert bench.released == ["owned-a"]


def test_one_that_turns_bad_is_taken_back_and_nobody_has_to_ask(bench: Bench) -> None:
    bench.begin(move("owned", share=0.98))
    bench.serve(200)
    bench.work()
    assert bench.now().stage == "owned"
    bench.wrong = set(range(200, 5000))
    bench.serve(150)
    bench.work()
    assert bench.now().stage == "rolled_back"
    assert bench.published == [("rolled_back", 0.0)]
    with db.reading(bench.engine) as connection:
        last = store.events(connection, "mv_1")[-1]
    assert last.content["metric"] == "harm"
    assert last.content["value"] >= last.content["bound"] == RULE.patience


def test_empty_answers_take_a_candidate_back_within_five_calls(bench: Bench) -> None:
    bench.begin(replace(move("owned", share=0.98), rule=replace(RULE, sample_owned=0.0)))
    bench.shelf.all = [record(number, "", "owned-a") for number in range(5)]
    bench.work()
    assert bench.now().stage == "rolled_back"
    assert bench.door.asked == []


def test_interrupted_at_every_point_it_ends_where_it_would_have(bench: Bench) -> None:
    """A worker that dies after any of its writes leaves the same pairs and steps as one that lives."""

    class Killed(Exception):
        pass

    bench.begin(move("shadow"))
    bench.serve(600)
    deaths = 0
    real = bench.door.says

    def dying(target: str, question: str) -> str | None:
        nonlocal deaths
        if len(bench.door.asked) % 97 == 96:
            deaths += 1
            raise Killed
        return real(target, question)

    bench.door.says = dying
    while True:
        try:
            bench.rollout = bench.fresh()
            bench.work()
        except Killed:
            continue
        break
    assert deaths > 3
    with db.reading(bench.engine) as connection:
        pairs = store.pairs_of(connection, "mv_1")
        steps = [one.content["to"] for one in store.events(connection, "mv_1") if one.kind == "stage"]
    assert len({one.record for one in pairs}) == len(pairs)
    assert [one.record for one in pairs] == sorted(one.record for one in pairs)
    assert steps == ["shadow", *["canary"] * (len(steps) - 1 - steps.count("owned")), *["owned"] * steps.count("owned")]
    assert bench.now().stage in ("canary", "owned")


def test_pairing_waits_for_a_person_without_asking_again(bench: Bench) -> None:
    bench.begin(replace(move("shadow"), rule=replace(RULE, reference="annotations")))
    bench.wrong = {3}
    bench.serve(10)
    bench.work()
    asked = len(bench.door.asked)
    assert asked == 10
    bench.work()
    bench.work()
    assert len(bench.door.asked) == asked
    with db.reading(bench.engine) as connection:
        assert store.wanted(connection, "mv_1") == (record(3).id,)
        assert len(store.pairs_of(connection, "mv_1")) == 3
    bench.gold[record(3).id] = Answer("no")
    bench.work()
    with db.reading(bench.engine) as connection:
        pairs = store.pairs_of(connection, "mv_1")
        assert store.wanted(connection, "mv_1") == ()
    assert (len(pairs), pairs[3].difference, pairs[3].gold) == (10, 1.0, True)


def test_a_move_that_cannot_be_compared_is_watched_and_keeps_no_other_from_its_turn(bench: Bench) -> None:
    def closed(_target: str, _question: str) -> str:
        raise DoorClosed("the gateway is away")

    bench.begin(replace(move("owned", share=0.98), rule=replace(RULE, sample_owned=1.0)))
    bench.shelf.all = [record(number, "", "owned-a") for number in range(5)]
    bench.door.says = closed
    with pytest.raises(DoorClosed):
        bench.work()
    assert bench.now().stage == "rolled_back", "what needs no comparison took it back"

    turns: list[str] = []

    class Two:
        def round(self, one: str) -> bool:
            turns.append(one)
            if one == "mv_2":
                raise DoorClosed("away")
            return False

    with db.writing(bench.engine) as connection:
        for number in (2, 3):
            plan = replace(PLAN, workflow=f"wf_{number}")
            store.add(connection, replace(move("observed", plan=plan), id=f"mv_{number}", began=float(number)), "ann")
    with pytest.raises(DoorClosed):
        run(Two(), bench.engine, lambda: None)  # type: ignore[arg-type]  # what it needs of a rollout
    assert turns == ["mv_2", "mv_3"]


def test_a_call_that_waits_for_its_pair_counts_once_for_validity(bench: Bench) -> None:
    bench.begin(replace(move("owned", share=0.98), rule=replace(RULE, sample_owned=1.0)))
    bench.shelf.all = [record(0, "", "owned-a")]
    bench.door.says = lambda _target, _question: None
    for _ in range(20):
        bench.work()
    assert bench.now().stage == "owned", "one empty answer is no dead model, however often it is looked at"
    with db.reading(bench.engine) as connection:
        assert store.health(connection, "mv_1").counts == (0, 0, 0, 0, 1), "what was seen is written down to be shown"
    assert len(bench.door.asked) == 20


def test_once_its_budget_is_spent_what_serves_is_not_compared_but_still_watched(bench: Bench) -> None:
    bench.begin(replace(move("owned", share=0.98), rule=replace(RULE, sample_owned=1.0, budget="0.05")))
    bench.serve(200, ("owned-a",))
    bench.work()
    asked = len(bench.door.asked)
    assert asked == ROUND, "the round in which it was spent is the last: 64 answers at a tenth of a cent"
    held = bench.now()
    assert held.unpaid and "budget" in held.held and held.stage == "owned"
    bench.serve(100, ("owned-a",))
    bench.work()
    assert len(bench.door.asked) == asked
    with db.writing(bench.engine) as connection:
        desk.promote(connection, held, desk.Act("ann", WINDOW + 1, "granted"), without_proof=False)
    bench.work()
    assert asked < len(bench.door.asked) <= asked + ROUND
    bench.shelf.all += [record(number, "", "owned-a") for number in range(bench.sent, bench.sent + 5)]
    bench.work()
    assert bench.now().stage == "rolled_back", "what needs no comparison costs nothing"


@pytest.mark.parametrize(("usual", "stage"), [(0.4, "owned"), (0.01, "rolled_back")])
def test_a_fault_that_the_incumbent_has_as_often_takes_nobody_back(bench: Bench, usual: float, stage: str) -> None:
    often = tuple(usual if kind == "empty" else 0.01 for kind in FAULTS)
    bench.begin(replace(move("owned", share=0.98), rule=replace(RULE, sample_owned=0.0, usual=often)))
    bench.shelf.all = [record(number, ("", "yes", "yes")[number % 3], "owned-a") for number in range(60)]
    bench.work()
    assert bench.now().stage == stage


def test_a_held_shadow_asks_nothing(bench: Bench) -> None:
    bench.begin(move("shadow"))
    with db.writing(bench.engine) as connection:
        now = store.load(connection, "mv_1")
        store.append(connection, now, Event(now.events, WINDOW, "held", "ann", {"why": "a look"}))
    bench.serve(ROUND)
    bench.work()
    assert bench.door.asked == []
