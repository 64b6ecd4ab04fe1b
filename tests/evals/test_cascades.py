"""Policies over models, told from recorded answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.cascades import Policy, Recorded, Sheet, simulate
from freehold.evals.proof.noninferiority import Rule
from freehold.evals.search import Bounds, policies, search
from freehold.grading.types import Answer, Spec

LABEL = Spec("label")


def said(text, right="yes", **more):
    return Recorded(score=float(text == right), answer=Answer(text), **more)


def sheet(incumbent, **models):
    return Sheet(calls=tuple(str(n) for n in range(len(incumbent))), incumbent=tuple(incumbent),
                 models={name: tuple(found) for name, found in models.items()})  # fmt: skip


PAIR = Policy(kind="agreement", members=("a", "b"))


def test_two_that_agree_answer_and_the_rest_is_the_incumbents():
    made = sheet(
        [said("yes"), said("no"), said("yes"), said("no")],
        a=[said("yes"), said("yes"), said("no"), said("no")],
        b=[said("yes"), said("yes"), said("yes"), said("no")],
    )
    outcome = simulate(made, PAIR, LABEL)
    assert outcome.served.tolist() == [True, True, False, True]
    assert outcome.differences.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert (outcome.kept, outcome.delta, outcome.bounded) == (0.75, 0.25, False)


def test_a_member_that_failed_agrees_with_nobody_and_a_single_one_is_served_as_it_is():
    made = sheet([said("yes")] * 2, a=[Recorded(score=0.0, failed=True), said("yes")], b=[said("yes")] * 2)
    assert simulate(made, PAIR, LABEL).served.tolist() == [False, True]
    assert simulate(made, Policy(kind="single", members=("a",)), LABEL).differences.tolist() == [-1.0, 0.0]


def test_calls_that_a_model_was_never_asked_are_missing():
    made = sheet([said("yes")] * 3, a=[said("no"), None, said("yes")], b=[said("yes"), said("yes"), None])
    outcome = simulate(made, PAIR, LABEL)
    assert (outcome.pairs, outcome.rows.tolist()) == (1, [0])


def test_where_only_scores_are_known_two_wrong_answers_are_taken_for_the_same():
    made = sheet([said("yes")] * 3, a=[Recorded(score=1.0), Recorded(score=0.0), Recorded(score=0.0)],
                 b=[Recorded(score=1.0), Recorded(score=0.0), Recorded(score=1.0)])  # fmt: skip
    outcome = simulate(made, PAIR, LABEL)
    assert outcome.served.tolist() == [True, True, False]
    assert (outcome.delta, outcome.bounded) == (-1 / 3, True)


def test_confidence_decides_and_silence_is_no_confidence():
    answers = [Answer("no", confidence=0.9), Answer("yes", confidence=0.2), Answer("yes")]
    made = sheet([said("yes")] * 3, a=[Recorded(score=float(one.text == "yes"), answer=one) for one in answers])
    outcome = simulate(made, Policy(kind="confidence", members=("a",), threshold=0.5), LABEL)
    assert outcome.served.tolist() == [True, False, False]
    assert outcome.differences.tolist() == [-1.0, 0.0, 0.0]


def test_cost_and_latency_count_members_and_escalations():
    made = sheet(
        [said("yes", cost=10.0, latency=2.0), said("yes", cost=10.0, latency=2.0)],
        a=[said("yes", cost=1.0, latency=0.5), said("no", cost=1.0, latency=0.5)],
        b=[said("yes", cost=2.0, latency=1.0), said("yes", cost=2.0, latency=1.0)],
    )
    outcome = simulate(made, PAIR, LABEL)
    assert (outcome.cost, outcome.incumbent_cost) == (3.0 + 5.0, 10.0)
    assert outcome.latency == pytest.approx(np.quantile([1.0, 3.0], 0.95))


scores = st.lists(st.tuples(*[st.sampled_from(["yes", "no", "maybe", None])] * 3), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(scores)
def test_what_is_not_served_makes_no_difference(drawn):
    def column(at):
        return [None if row[at] is None else said(row[at]) for row in drawn]

    made = sheet([said(row[2] or "no") for row in drawn], a=column(0), b=column(1))
    one, other = simulate(made, PAIR, LABEL), simulate(made, Policy(kind="agreement", members=("b", "a")), LABEL)
    assert one.differences[~one.served].tolist() == [0.0] * int((~one.served).sum())
    assert one.served.tolist() == other.served.tolist()
    assert np.all(np.abs(one.differences) <= 1)


def drawn_sheet(count=1500, seed=3):
    random = np.random.default_rng(seed)

    def column(right):
        return [said("yes" if random.random() < right else f"no {random.integers(40)}") for _ in range(count)]

    return sheet(column(0.95), a=column(0.85), b=column(0.85), c=column(0.3))


def test_a_search_finds_the_pair_and_refuses_the_singles():
    made = drawn_sheet()
    tried = policies(["a", "b", "c"], ["single", "agreement"])
    found = search(made, LABEL, tried, Rule(margin=0.03))
    assert found.best.policy in (PAIR, Policy(kind="agreement", members=("b", "a")))
    assert found.considered == len(tried) == 9
    assert found.alpha == pytest.approx(0.05 / 9)
    assert found.best.proven_margin < 0.03
    assert not any(one.accepted for one in found.found if one.policy.kind == "single")
    assert abs(found.delta_crossfit - found.best.delta) < 0.02


def test_where_nothing_is_proven_there_is_no_best_one_but_a_nearest():
    found = search(drawn_sheet(), LABEL, policies(["a", "c"], ["single"]), Rule(margin=0.03))
    assert found.best is None
    assert found.nearest.policy.name == "a"


def test_bounds_leave_out_what_costs_too_much_or_nobody_knows():
    priced = Sheet(calls=("0",), incumbent=(said("yes", cost=9.0),),
                   models={"a": (said("yes", cost=1.0, latency=1.0),), "b": (said("yes"),)})  # fmt: skip
    tried = policies(["a", "b"], ["single"])
    names = [one.policy.name for one in search(priced, LABEL, tried, Rule(), Bounds(cost=2.0)).found]
    assert names == ["a"]
    assert search(priced, LABEL, tried, Rule(), Bounds(latency=0.5)).found == ()


def test_choosing_among_equals_by_luck_shows_in_the_crossfitted_difference():
    random = np.random.default_rng(11)
    columns = {f"m{n:02}": [said("yes" if random.random() < 0.8 else "no") for _ in range(400)] for n in range(30)}
    made = sheet([said("yes" if random.random() < 0.8 else "no") for _ in range(400)], **columns)
    found = search(made, LABEL, policies(sorted(columns), ["single"]), Rule(margin=0.2))
    top = max(found.found, key=lambda one: one.delta)
    usual = float(np.mean([one.delta for one in found.found]))
    assert top.delta > usual + 0.02
    assert abs(found.delta_crossfit - usual) < top.delta - usual
