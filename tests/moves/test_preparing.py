"""Preparing a move: each part once whatever interrupts it, and nothing more once a person held or ended it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core import db
from freehold.core.crypto import Identity, Sealer
from freehold.core.errors import FileRefused, LeaseLost
from freehold.evals import runs
from freehold.evals.contents import Contents
from freehold.evals.errors import DoorClosed
from freehold.jobs.pool import InProcess
from freehold.ledger.capture import Bodies
from freehold.moves import desk, store
from freehold.moves.desk import Act
from freehold.moves.preparing import Parts, Preparation, give_up
from freehold.moves.training.errors import NothingToLearn
from freehold.moves.training.job import Base, read_job
from freehold.moves.tuning import Places, here
from freehold.moves.types import Event, Move
from freehold.policy.rights import Rules
from freehold.workflows.formats.vendors import vendor_of
from freehold.workflows.records import Record
from freehold.workflows.store import Which
from tests.moves.sample import PLAN, RULE, WINDOW, Door, record

AFTER = WINDOW + 100
CALLS = 120


def call(number: int, said: str) -> Record:
    """One call of the window, unlike the others."""
    words = " ".join("".join(Random(f"{number}/{at}").choices("abcdefghijklmnop", k=6)) for at in range(12))
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"question {number} {words}"}]}
    made = record(number, said, at=WINDOW - CALLS + number)
    return replace(made, vendor=vendor_of(model="gpt-4o"), request=json.dumps(asked).encode())


class Shelf:
    """Records of the window, in memory."""

    def __init__(self) -> None:
        self.all = [call(n, ("yes", "no")[n % 2]) for n in range(CALLS)]

    def records(self, which: Which, after: bytes = b"") -> Iterator[Record]:
        since, until = which.since or 0.0, which.until if which.until is not None else float("inf")
        yield from (one for one in self.all if since <= one.at < until and one.id > after)


class Asked(Door):
    """The door of evaluations."""

    def bounded(self, _most: int) -> Asked:
        return self


class Bench:
    """A move with everything its preparation needs."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.engine = db.connect(db.url_of(folder / "freehold.db"))
        db.upgrade(self.engine)
        self.shelf = Shelf()
        self.door = Asked(self.says)
        self.published = 0
        self.licences: dict[str, str] = {}
        self.places: Places = here
        self.on_beat: Callable[[dict[str, Any]], object] = lambda _progress: None

    def says(self, _target: str, question: str) -> str:
        return ("yes", "no")[int(question.split()[1]) % 2]

    def parts(self) -> Parts:
        sealer = Sealer.load(self.home / "data.key")
        contents = Contents(self.engine, Bodies(self.home / "bodies", sealer))
        gold: Any = lambda _workflow: lambda _record: None  # noqa: E731
        evaluation = runs.Parts(
            engine=self.engine,
            shelf=self.shelf,  # type: ignore[arg-type]  # what it needs of a shelf
            contents=contents,
            door=self.door,  # type: ignore[arg-type]
            gold=gold,
            clock=lambda: AFTER,
        )
        return Parts(
            engine=self.engine,
            home=self.home,
            identity=Identity.load(self.home / "identity.key"),
            shelf=self.shelf,  # type: ignore[arg-type]
            gold=gold,
            rights=Rules,
            runs=evaluation,
            base_of=lambda recipe, name: None if recipe == "classifier" else Base(name, "", ""),
            publish=self.publish,
            clock=lambda: AFTER,
            licence_of=lambda target: self.licences.get(target, ""),
            places=self.places,
        )

    def publish(self) -> None:
        self.published += 1

    def begin(self, recipe: str = "none", sweep: dict[str, list[Any]] | None = None, **rule: Any) -> None:
        candidate = "owned-a" if recipe == "none" else ""
        plan = replace(PLAN, recipe=recipe, candidate=candidate, sweep=sweep or {})
        with db.writing(self.engine) as connection:
            desk.start(connection, b"1" * 16, replace(RULE, **rule), plan, Act("ann", WINDOW))

    def work(self) -> dict[str, Any]:
        return Preparation(self.parts(), self.now().id, lambda progress: self.on_beat(progress)).run()  # noqa: PLW0108  it may change

    def now(self) -> Move:
        with db.reading(self.engine) as connection:
            found = store.latest(connection, "wf_a")
        assert found is not None
        return found

    def events(self) -> list[Event]:
        with db.reading(self.engine) as connection:
            return store.events(connection, self.now().id)

    def kinds(self) -> list[str]:
        return [one.kind for one in self.events()]

    def act(self, verb: Callable[..., Move], **more: Any) -> None:
        with db.writing(self.engine) as connection:
            verb(connection, self.now(), Act("ann", AFTER, "a wish"), **more)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.engine.dispose()


def test_a_candidate_that_is_there_is_evaluated_and_goes_into_shadow(bench: Bench) -> None:
    bench.begin()
    assert bench.work() == {"stage": "shadow", "held": ""}
    assert bench.kinds() == ["began", "data", "stage", "stage", "scorecard", "stage"]
    assert bench.published == 1
    asked = len(bench.door.asked)
    assert bench.work()["stage"] == "shadow"
    assert len(bench.door.asked) == asked, "what is done is not done again"


def test_a_hopeless_candidate_is_refused_before_it_sees_a_live_call(bench: Bench) -> None:
    bench.begin()
    bench.door.says = lambda _target, _question: "never"
    assert bench.work()["stage"] == "refused"
    last = bench.events()[-1].content
    assert last["metric"] == "evaluation" and last["value"] < last["bound"] == -RULE.margin


def test_killed_at_any_beat_it_ends_with_the_same_events(bench: Bench) -> None:
    class Killed(Exception):
        pass

    bench.begin()
    beats = 0

    def dying(_progress: dict[str, Any]) -> None:
        nonlocal beats
        beats += 1
        if beats % 5 == 0:
            raise Killed

    bench.on_beat = dying
    deaths = 0
    while bench.now().stage != "shadow":
        try:
            bench.work()
        except Killed:
            deaths += 1
    assert deaths > 2
    assert bench.kinds() == ["began", "data", "stage", "stage", "scorecard", "stage"]


@pytest.mark.parametrize(("verb", "stage"), [(desk.hold, "tuned"), (desk.rollback, "refused")])
def test_a_person_stops_it_at_the_next_beat(bench: Bench, verb: Callable[..., Move], stage: str) -> None:
    bench.begin()
    beats: list[dict[str, Any]] = []

    def stopping(progress: dict[str, Any]) -> None:
        beats.append(progress)
        if len(beats) == 1:
            bench.act(verb)

    bench.on_beat = stopping
    found = bench.work()
    assert (found["stage"], len(beats)) == (stage, 1)
    before = bench.kinds()
    assert before[-1] == ("held" if verb is desk.hold else "stage")
    bench.work()
    assert bench.kinds() == before, "and it stays so"
    if verb is desk.hold:
        bench.act(desk.promote, without_proof=False)
        assert bench.work()["stage"] == "shadow"


def test_a_step_that_waits_for_a_person_waits_and_then_goes_on(bench: Bench) -> None:
    bench.begin(approvals=("shadow",))
    assert bench.work()["stage"] == "tuned"
    assert bench.now().waiting == "shadow"
    bench.work()
    assert bench.kinds().count("waiting") == 1
    bench.act(desk.approve)
    assert bench.work()["stage"] == "shadow"


def test_a_gateway_that_is_away_is_waited_for_and_at_last_the_move_is_held(bench: Bench) -> None:
    def closed(_target: str, _question: str) -> str:
        raise DoorClosed("the gateway does not answer")

    bench.begin()
    bench.door.says = closed
    with pytest.raises(DoorClosed):
        bench.work()
    assert not bench.now().held
    for _ in range(2):  # it may be told twice
        give_up(bench.engine, bench.now().id, "FH-EVL-002 the gateway does not answer", AFTER)
    assert bench.now().held == "preparing failed: FH-EVL-002 the gateway does not answer"
    assert bench.kinds().count("held") == 1
    bench.act(desk.promote, without_proof=False)
    bench.door.says = bench.says
    assert bench.work()["stage"] == "shadow"


def test_a_lost_lease_ends_nothing(bench: Bench) -> None:
    def lost(_progress: dict[str, Any]) -> None:
        raise LeaseLost("another has it")

    bench.begin()
    bench.on_beat = lost
    with pytest.raises(LeaseLost):
        bench.work()
    assert bench.now().stage == "tuned"


def test_a_recipe_that_cannot_learn_refuses_the_move_in_its_own_words(bench: Bench) -> None:
    bench.shelf.all = [call(n, f"Dear number {n}, " * (n % 7 + 1)) for n in range(CALLS)]
    bench.begin("classifier")
    assert bench.work()["stage"] == "refused"
    last = bench.events()[-1].content
    assert last["why"].startswith(NothingToLearn.code)
    assert last["hint"] == NothingToLearn.hint_text


def test_a_sweep_is_trained_where_the_installation_says_and_a_node_without_the_base_holds_the_move(
    bench: Bench,
) -> None:
    bench.shelf.all = [replace(one, owned=True, vendor="", target="owned-chat") for one in bench.shelf.all]
    bench.licences = {"owned-chat": "Apache-2.0"}
    bench.places = lambda: nullcontext((InProcess(), True))
    bench.begin("lora", {"rank": [4, 8]})
    assert bench.work()["stage"] == "evaluated"
    assert "lacks the base" in bench.now().held, "it waits until somebody has brought the file"
    (work,) = (bench.home / "work").iterdir()
    jobs = [read_job(work / "variants" / number) for number in "12"]
    assert [one.options for one in jobs] == [{"rank": 4}, {"rank": 8}]
    assert len({one.dataset for one in jobs} | {read_job(work).dataset}) == 1


def test_a_disk_that_is_full_is_told_and_nothing_is_refused_for_it(bench: Bench) -> None:
    bench.begin("classifier")
    (bench.home / "work").write_text("no folder can be made here")
    with pytest.raises(FileRefused) as told:
        bench.work()
    assert "work" in told.value.message and "disk has room" in told.value.hint
    assert (bench.now().stage, bench.now().held) == ("evaluated", "")


@pytest.mark.parametrize(("licence", "cleared"), [("Apache-2.0", True), ("llama3", False), ("", False)])
def test_an_owned_answer_trains_by_its_models_licence(bench: Bench, licence: str, *, cleared: bool) -> None:
    bench.shelf.all = [replace(one, owned=True, vendor="", target="owned-chat") for one in bench.shelf.all]
    bench.licences = {"owned-chat": licence}
    bench.begin("classifier")
    (bench.home / "work").write_text("")
    if cleared:
        with pytest.raises(FileRefused):  # it went on to train
            bench.work()
    else:
        bench.work()
        assert bench.now().stage == "refused"
        assert "licence" in bench.events()[-1].content["why"]


def test_without_a_model_of_ours_there_is_nothing_to_look_at_first(bench: Bench) -> None:
    bench.begin("classifier")
    (bench.home / "work").write_text("")
    with pytest.raises(FileRefused):
        bench.work()
    assert bench.door.asked == []
