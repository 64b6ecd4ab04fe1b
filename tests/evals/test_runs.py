"""Runs: what counts, what does not, and what survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

import msgspec
import pytest

from freehold.core.db import reading, writing
from freehold.core.errors import RightsRefused
from freehold.core.ids import as_text
from freehold.evals import store
from freehold.evals.errors import DoorClosed, EvaluationBudget, NothingToEvaluate
from freehold.evals.runs import REFUSED, evaluate, side_name
from freehold.evals.types import AGAIN, CANDIDATE, Plan, Run
from freehold.grading.types import Spec
from freehold.policy.rights import Override, Rules
from tests.evals.conftest import START, WORKFLOW, completion, number_of, record

RUN = as_text("ev", b"r" * 16)
LATER = START + 1e6


def plan(**more):
    return Plan(**{"workflow": WORKFLOW, "target": "mine", "grader": Spec("label"), **more})


@pytest.fixture
def begin(engine):
    def start(**more):
        with writing(engine) as connection:
            store.add_run(connection, Run(id=RUN, at=LATER, plan=plan(**more)))
        return RUN

    return start


def rows(engine):
    with reading(engine) as connection:
        return store.rows_of(connection, RUN)


def state(engine):
    with reading(engine) as connection:
        return store.load_run(connection, RUN)


def asked_of(request):
    return request["messages"][-1]["content"]


def test_a_candidate_is_graded_on_every_call(fill, parts, gateway, begin, engine, contents):
    fill(record(n, "yes" if n % 2 else "no") for n in range(20))
    gateway.play = lambda target, request: (200, completion("Yes."), {"x-freehold-cost": "0.01"})
    counts = []
    card = evaluate(parts, begin(), lambda done, total: counts.append((done, total)))
    assert (card.pairs, card.quality, card.incumbent_quality, card.discordance) == (20, 0.5, 1.0, 0.5)
    assert card.difference.low < -0.5 < card.difference.high
    assert (card.cost_call, card.cost_passed, card.unpriced) == (Decimal("0.01"), Decimal("0.02"), 0)
    assert counts[-1] == (20, 20)
    assert state(engine).state == "done"
    kept = contents.load([(number_of(3), side_name(RUN, CANDIDATE))])
    assert kept[number_of(3), side_name(RUN, CANDIDATE)].answer.text == "Yes."


def test_a_hopeless_candidate_is_not_asked_on(fill, parts, gateway, begin, engine):
    fill(record(n, "yes") for n in range(60))
    gateway.play = lambda target, request: (200, completion("no"), {})
    card = evaluate(parts, begin(hopeless=-0.03))
    assert card.pairs < 60
    assert card.difference.high < -0.03
    assert [(one.reason, one.calls) for one in card.missing] == [
        ("not asked, as the difference was plain", 60 - card.pairs)
    ]
    assert state(engine).state == "done"


def test_a_candidate_that_may_suffice_is_asked_everything(fill, parts, gateway, begin):
    fill(record(n, "yes") for n in range(60))
    gateway.play = lambda target, request: (200, completion("yes"), {})
    assert evaluate(parts, begin(hopeless=-0.03)).pairs == 60


@pytest.mark.parametrize(
    ("play", "error"),
    [
        ((504, {"error": {}}, {"x-freehold-error": "FH-UP-003"}), "FH-UP-003"),
        ((502, {"error": {}}, {"x-freehold-error": "FH-UP-002"}), "FH-UP-002"),
        ((400, {"error": {"message": "secret words"}}, {"x-freehold-error": "FH-UP-005"}), "FH-UP-005"),
        ((500, b"", {}), "500"),
        ((200, b"nonsense", {}), "lied"),
    ],
)
def test_a_candidate_that_fails_scores_nothing_and_the_kind_is_kept(fill, parts, gateway, begin, play, error):
    fill(record(n) for n in range(4))
    gateway.play = lambda target, request: play
    card = evaluate(parts, begin())
    assert (card.pairs, card.quality) == (4, 0.0)
    assert [(one.reason, one.calls) for one in card.failures] == [(error, 4)]
    assert {one.error for one in rows(parts.engine)} == {error}


def test_a_candidate_that_hangs_scores_nothing_and_the_others_go_on(fill, parts, gateway, begin):
    found = fill(record(n) for n in range(6))
    slow = json.loads(found[2].request)["messages"][0]["content"]
    gateway.play = lambda target, request: None if asked_of(request) == slow else (200, completion("yes"), {})
    card = evaluate(parts, begin(timeout=1.5))
    assert (card.pairs, card.quality) == (6, 5 / 6)
    assert [(one.reason, one.calls) for one in card.failures] == [("timeout", 1)]


def test_a_reference_that_cannot_be_graded_counts_for_nobody(fill, parts, gateway, begin):
    fill([record(0, "no number here"), record(1, "12"), record(2, "13")])
    gateway.play = lambda target, request: (200, completion("12"), {})
    card = evaluate(parts, begin(grader=Spec("number")))
    assert (card.pairs, card.quality) == (2, 0.5)
    assert [(one.reason, one.calls) for one in card.missing] == [("the reference cannot be graded", 1)]


def test_what_people_said_is_the_reference_where_that_is_wanted(fill, parts, gateway, begin, people):
    fill(record(n, "yes") for n in range(6))
    said = [{"record": f"req_{n}", "answer": "no" if n < 3 else "yes"} for n in range(4)]
    people.add([json.dumps(one).encode() for one in said], "ada", 1.0)
    gateway.play = lambda target, request: (200, completion("no"), {})
    card = evaluate(parts, begin(reference="annotations"))
    assert (card.pairs, card.quality, card.incumbent_quality, card.difference.mean) == (4, 0.75, 0.25, 0.5)


def test_the_incumbents_noise_is_measured_and_its_outages_count_for_nobody(fill, parts, gateway, begin):
    found = fill(record(n, "yes") for n in range(10))
    first = json.loads(found[0].request)["messages"][0]["content"]

    def play(target, request):
        if target == "rented":
            return (
                (503, {}, {"x-freehold-error": "FH-UP-006"})
                if asked_of(request) == first
                else (200, completion("no"), {})
            )
        return 200, completion("yes"), {}

    gateway.play = play
    card = evaluate(parts, begin(incumbent="rented", noise=5))
    assert (card.pairs, card.quality) == (10, 1.0)
    assert (card.noise.pairs, card.noise.mean) == (4, 1.0)
    assert [(one.reason, one.calls) for one in card.missing] == [("the incumbent did not answer again", 1)]


def test_answers_that_nobody_may_compare_with_are_left_out_and_counted(fill, parts, gateway, begin):
    fill(record(n, vendor="openai-api" if n % 3 else "unheard-of") for n in range(12))
    card = evaluate(parts, begin())
    assert (card.pairs, {one.reason: one.calls for one in card.missing}) == (8, {REFUSED: 4})


def test_where_no_answer_may_be_compared_with_nobody_is_asked_and_the_reasons_are_told(
    fill, parts, gateway, begin, engine
):
    fill(record(n, vendor="unheard-of") for n in range(5))
    gateway.play = lambda target, request: pytest.fail("nobody is to be asked")
    with pytest.raises(RightsRefused, match="unheard-of: no row about this in the table of terms"):
        evaluate(parts, begin())
    assert state(engine).state == "failed"
    word = Override(
        party="unheard-of", purpose="evaluate", allowed=True, reason="contract", by="Ann", since="2020-01-01"
    )
    gateway.play = lambda target, request: (200, completion("yes"), {})
    allowed = msgspec.structs.replace(parts, rights=lambda: Rules(overrides=(word,)))
    assert evaluate(allowed, RUN).pairs == 5


def test_near_duplicates_and_owned_answers_and_other_workflows_are_left_out(fill, parts, gateway, begin):
    long = "when will the parcel with my new walking boots reach the cottage by the lake"
    fill([record(n, asked=long + " " + "!" * n) for n in range(5)])
    fill([record(10, owned=True), record(11, assigned="wf_other"), record(12)])
    assert evaluate(parts, begin()).pairs == 2


def test_a_budget_ends_a_run_and_a_larger_one_takes_it_up(fill, parts, gateway, begin, engine):
    fill(record(n) for n in range(40))
    gateway.play = lambda target, request: (200, completion("yes"), {"x-freehold-cost": "0.10"})
    begin(budget="0.5")
    with pytest.raises(EvaluationBudget):
        evaluate(parts, RUN)
    stopped = state(engine)
    count = len(rows(engine))
    assert stopped.state == "stopped"
    assert 5 <= count <= 5 + 2 * 4
    with writing(engine) as connection:
        store.keep_run(connection, Run(id=RUN, at=LATER, plan=plan(budget="100")))
    assert evaluate(parts, RUN).pairs == 40
    assert len(gateway.asked) == 40


def test_a_gateway_that_goes_loses_nothing_that_was_graded(fill, parts, gateway, begin, engine):
    fill(record(n) for n in range(30))
    begin()
    gone = (503, {}, {"x-freehold-error": "FH-AVA-001"})
    gateway.play = lambda target, request: gone if len(gateway.asked) > 12 else (200, completion("yes"), {})
    with pytest.raises(DoorClosed):
        evaluate(parts, RUN)
    kept = len(rows(engine))
    assert kept >= 8
    assert state(engine).state == "waiting"
    gateway.play = lambda target, request: (200, completion("yes"), {})
    gateway.asked.clear()
    assert evaluate(parts, RUN).pairs == 30
    assert len(gateway.asked) == 30 - kept


def test_calls_made_since_a_run_began_are_not_its(fill, parts, gateway, begin):
    fill([record(0), record(1), record(2, id=number_of(200_000), at=LATER + 1)])
    assert evaluate(parts, begin()).pairs == 2


def test_a_run_may_be_named_by_what_it_is_for(fill, parts, gateway, engine):
    fill(record(n) for n in range(4))
    name = "mv_1.owned-a.incumbent"
    for _ in range(2):
        with writing(engine) as connection:
            store.add_run(connection, Run(id=name, at=LATER, plan=plan()))
        assert evaluate(parts, name).pairs == 4
    assert len(gateway.asked) == 4
    with reading(engine) as connection:
        assert len(store.list_runs(connection)) == 1


def test_an_empty_workflow_is_told(parts, begin):
    with pytest.raises(NothingToEvaluate):
        evaluate(parts, begin())


CHILD = """
import sys
from pathlib import Path
from freehold.core.crypto import Sealer
from freehold.core.db import connect, url_of
from freehold.evals.annotations import Annotations
from freehold.evals.contents import Contents
from freehold.evals.door import Door, Manner
from freehold.evals.runs import Parts, evaluate
from freehold.ledger.capture import Bodies
from freehold.workflows.shelf import Shelf
folder, url, run = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
engine = connect(url_of(folder / "freehold.db"))
bodies = Bodies(folder / "bodies", Sealer.load(folder / "data.key"))
contents = Contents(engine, bodies)
door = Door(url, "k", manner=Manner(workers=2))
evaluate(Parts(engine, Shelf(engine, bodies), contents, door, Annotations(engine, contents).gold, lambda: 1.0), run)
"""


def test_a_run_that_is_killed_goes_on_and_counts_nothing_twice(fill, parts, gateway, begin, engine, tmp_path):
    fill(record(n) for n in range(60))
    begin(incumbent="rented", noise=10)
    gateway.play = lambda target, request: (200, completion("yes"), {}) if len(gateway.asked) <= 30 else None
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), gateway.url, RUN], env={**os.environ})
    end = time.monotonic() + 30
    while len(gateway.asked) <= 31 and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    kept = rows(engine)
    assert 16 <= len(kept) <= 30
    before = {one.record for one in kept}
    gateway.release.set()
    gateway.play = lambda target, request: (200, completion("yes"), {})
    gateway.asked.clear()
    card = evaluate(parts, RUN)
    assert (card.pairs, card.quality, card.noise.pairs) == (60, 1.0, 10)
    assert len(gateway.asked) == 70 - len(before)
    found = rows(engine)
    assert len(found) == len({(one.record, one.side) for one in found}) == 70
    assert sum(one.side == AGAIN for one in found) == 10
