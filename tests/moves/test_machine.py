"""The state machine of a move: steps are taken on evidence alone, named with it, and can always be undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold.core.errors import Conflict
from freehold.grading.types import Spec
from freehold.moves.machine import Measured, apply, begin, due
from freehold.moves.types import ENDED, SERVING, Event, Move, Plan, Rule

RULE = Rule(grader=Spec("label"), window_until=100.0)
PLAN = Plan(workflow="wf_a", incumbent="rented", candidate="owned-a")
QUIET = Measured(pairs=0, difference=0.0, low=-1.0, high=1.0, evidence=1.0, futility=1.0, alarm=0.0)


def at(stage: str, rule: Rule = RULE, **more: object) -> Move:
    return replace(begin("mv_1", 100.0, rule, PLAN), stage=stage, **more)


def onward(move: Move, measured: Measured) -> Move:
    found = due(move, measured)
    assert found is not None
    return apply(move, Event(move.events, 200.0, found[0], "test", found[1]))


def test_a_shadow_becomes_canary_on_evidence_and_names_it() -> None:
    enough = replace(QUIET, pairs=500, evidence=20.0)
    kind, content = due(at("shadow"), enough) or ("", {})
    assert (kind, content["to"], content["share"]) == ("stage", "canary", 0.05)
    assert (content["metric"], content["value"], content["bound"], content["pairs"]) == ("evidence", 20.0, 20.0, 500)
    assert due(at("shadow"), replace(enough, evidence=19.99)) is None


def test_canary_climbs_its_steps_to_owned_and_keeps_a_holdback() -> None:
    move = onward(at("shadow"), replace(QUIET, pairs=500, evidence=20.0))
    shares = [move.share]
    pairs = 500
    while move.stage == "canary":
        assert due(move, replace(QUIET, pairs=pairs + RULE.step_pairs - 1, evidence=20.0)) is None
        pairs += RULE.step_pairs
        move = onward(move, replace(QUIET, pairs=pairs, evidence=20.0))
        shares.append(move.share)
    assert shares == [0.05, 0.25, 0.5, 1.0 - RULE.holdback]
    assert (move.stage, move.cut_over) == ("owned", 200.0)


@pytest.mark.parametrize("stage", SERVING)
@pytest.mark.parametrize(
    ("measured", "metric"),
    [(replace(QUIET, alarm=25_000.0), "harm"), (replace(QUIET, broken=2.0, broken_at=2.0), "validity")],
)
def test_harm_takes_the_traffic_back_from_any_stage_also_while_held(
    stage: str, measured: Measured, metric: str
) -> None:
    move = at(stage, share=0.5, held="somebody looks")
    after = onward(move, measured)
    assert (after.stage, after.share) == ("rolled_back", 0.0)
    assert (due(move, measured) or ("", {}))[1]["metric"] == metric


def test_a_futile_shadow_and_one_that_never_decides_end_as_refused() -> None:
    assert onward(at("shadow"), replace(QUIET, futility=20.0)).stage == "refused"
    assert onward(at("shadow"), replace(QUIET, pairs=RULE.most_pairs)).stage == "refused"


def test_comparing_stops_at_its_budget_and_says_so() -> None:
    held = onward(at("shadow"), replace(QUIET, spent=25.01))
    assert "budget" in held.held
    assert due(held, replace(QUIET, evidence=1e6)) is None


@pytest.mark.parametrize("stage", SERVING)
def test_the_budget_holds_also_where_the_candidate_serves_and_says_what_is_not_seen_any_more(stage: str) -> None:
    for move in (at(stage, share=0.5), at(stage, share=0.5, held="a look"), at(stage, share=0.5, waiting="owned")):
        held = onward(move, replace(QUIET, spent=25.01))
        assert (held.stage, held.share, held.unpaid) == (stage, 0.5, True)
        assert "budget" in held.held and "harm is not looked for" in held.held
        assert due(held, replace(QUIET, spent=99.0)) is None, "it is said once"
        broken = due(held, replace(QUIET, spent=99.0, broken=2.0, broken_at=2.0))
        assert broken is not None and broken[1]["to"] == "rolled_back"
        resumed = apply(held, Event(held.events, 1.0, "resumed", "ann", {"why": "", "spent": 25.01, "pairs": 0}))
        assert (resumed.unpaid, due(resumed, replace(QUIET, spent=50.0))) == (False, None)


def test_a_move_that_a_person_lets_go_on_is_not_held_again_for_the_same() -> None:
    held = onward(at("shadow"), replace(QUIET, spent=25.01))
    resumed = apply(held, Event(held.events, 1.0, "resumed", "ann", {"why": "", "spent": 25.01, "pairs": 300}))
    assert due(resumed, replace(QUIET, spent=50.0)) is None
    kind, content = due(resumed, replace(QUIET, spent=50.02)) or ("", {})
    assert (kind, content["bound"]) == ("held", pytest.approx(50.01))
    worse = replace(QUIET, pairs=400, evidence=2.0, high=-0.01)
    held = onward(at("canary", share=0.05, step=0, stage_pairs=300), worse)
    resumed = apply(held, Event(held.events, 1.0, "resumed", "ann", {"why": "", "spent": 0.0, "pairs": 400}))
    assert due(resumed, replace(worse, pairs=399 + RULE.step_pairs)) is None
    assert (due(resumed, replace(worse, pairs=400 + RULE.step_pairs)) or ("", {}))[0] == "held"


def test_a_step_that_needs_approval_waits_for_it() -> None:
    rule = replace(RULE, approvals=("canary", "owned"))
    enough = replace(QUIET, pairs=500, evidence=30.0)
    move = onward(at("shadow", rule), enough)
    assert (move.stage, move.waiting) == ("shadow", "canary")
    assert due(move, enough) is None
    approved = apply(move, Event(move.events, 1.0, "approved", "a person", {"step": "canary"}))
    assert onward(approved, enough).stage == "canary"


def test_an_event_out_of_turn_is_refused() -> None:
    move = at("shadow")
    for number in (0, 2):
        with pytest.raises(Conflict):
            apply(move, Event(number, 1.0, "held", "x", {"why": "y"}))


measures = st.builds(
    Measured,
    pairs=st.integers(0, 30_000),
    difference=st.floats(-1, 1),
    low=st.just(-1.0),
    high=st.floats(-1, 1),
    evidence=st.floats(0, 100),
    futility=st.floats(0, 100),
    alarm=st.floats(0, 50_000),
    broken=st.floats(0, 2),
    broken_at=st.just(1.0),
)


@given(st.lists(measures, max_size=40))
def test_no_history_serves_without_evidence_or_grows_after_harm(history: list[Measured]) -> None:
    move, proven = at("shadow"), False
    for measured in history:
        before = move
        found = due(move, measured)
        if found is None:
            continue
        move = apply(move, Event(move.events, 200.0, found[0], "test", found[1]))
        proven = proven or (before.stage == "shadow" and measured.evidence >= 1 / RULE.alpha)
        harmed = measured.alarm >= RULE.patience or measured.broken >= (measured.broken_at or 1.0)
        if move.stage in SERVING:
            assert proven
            assert not (harmed and before.stage in SERVING)
        if before.stage in SERVING and harmed:
            assert move.stage == "rolled_back"
        if before.stage in ENDED:
            raise AssertionError("an ended move went on")
        assert move.share == 0.0 or move.stage in SERVING
