"""The difficulty router: what is fitted scores the same in the gateway, and finds what is hard where anything tells."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest

from freehold.evals.difficulty import Outcomes, calibrated, cross_fitted, recovered_gap, router
from freehold.evals.logistic import Rows, fit
from freehold.evals.proof.errors import BadProofValue
from freehold.evals.proof.risk import Promise
from freehold.gateway.routing.difficulty import Parameters, Scorer, dumps, read

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "routing" / "routellm_gsm8k.jsonl.gz"


def made_up(count, seed=1, telling=True):
    """Prompts with "prove" are lost by the owned model three times in four, others once in twenty."""
    random = np.random.default_rng(seed)
    words = np.array(["ship", "order", "invoice", "report", "price", "customer", "parcel", "refund", "item", "total"])
    prompts, owned = [], []
    for _ in range(count):
        hard = random.random() < 0.4
        prompts.append(" ".join(["prove" if hard else "list", *random.choice(words, 8)]))
        owned.append(float(random.random() >= ((0.75 if hard else 0.05) if telling else 0.33)))
    return Outcomes(prompts=tuple(prompts), owned=tuple(owned), frontier=(1.0,) * count)


def test_what_is_hard_is_told_apart_and_the_promise_lets_the_rest_through():
    found = router(made_up(3000), Promise(bound=0.1))
    assert found.recovered > 0.7  # all there is to find is 0.76 here: luck decides the rest
    assert 0.5 < found.threshold.routed < 0.7
    scorer = Scorer.loads(dumps(found.parameters))
    assert scorer.difficulty("list order invoice total") < found.below < scorer.difficulty("prove order invoice total")


def test_where_nothing_tells_nothing_is_routed():
    found = router(made_up(1000, telling=False), Promise(bound=0.1))
    assert found.below is None
    assert found.recovered == pytest.approx(0.5, abs=0.1)


def test_difficulty_is_a_calibrated_probability():
    scorer = Scorer(calibrated(made_up(2000)))
    fresh = made_up(600, seed=2)
    told = np.array([scorer.difficulty(one) for one in fresh.prompts])
    hard = np.array(["prove" in one for one in fresh.prompts])
    assert told[hard].mean() == pytest.approx(0.75, abs=0.08)
    assert told[~hard].mean() == pytest.approx(0.05, abs=0.05)


def test_fitting_twice_gives_the_same_bytes():
    outcomes = made_up(200)
    assert dumps(calibrated(outcomes)) == dumps(calibrated(outcomes))


@pytest.mark.parametrize("prompt", ["", " ", "\ud800 broken", "送货单在哪里", "x" * 100_000, "a\n" * 5000])
def test_any_text_gets_a_difficulty(prompt):
    assert 0 <= Scorer(calibrated(made_up(60))).difficulty(prompt) <= 1


def test_a_long_prompt_is_read_at_its_ends():
    seen = read("first " + "middle " * 5000 + "last")
    assert seen.words.total() < 400
    assert read("first last").words.keys() <= seen.words.keys()


def test_broken_parameters_are_refused():
    good = calibrated(made_up(60))
    with pytest.raises(ValueError, match="bytes"):
        Scorer(msgspec.structs.replace(good, word_rarity=b"1234"))
    with pytest.raises(ValueError, match="measures"):
        Scorer(msgspec.structs.replace(good, owned=msgspec.structs.replace(good.owned, measures=(1.0,))))
    with pytest.raises(msgspec.DecodeError):
        Scorer.loads(b"\xc1")
    assert msgspec.msgpack.decode(dumps(good), type=Parameters) == good


def test_recovered_gap_is_one_half_by_chance_and_more_with_foresight():
    gain = np.array([1.0, 0.0, 0.0, 1.0] * 50)
    assert recovered_gap(gain, gain) == pytest.approx(0.75)
    assert recovered_gap(-gain, gain) == pytest.approx(0.25)
    with pytest.raises(BadProofValue):
        recovered_gap(gain, -gain)


def test_outcomes_that_do_not_belong_together_are_refused():
    with pytest.raises(BadProofValue):
        Outcomes(prompts=("a",), owned=(1.0, 0.0), frontier=(1.0,))
    with pytest.raises(BadProofValue):
        Outcomes(prompts=("a",), owned=(2.0,), frontier=(1.0,))


def test_logistic_regression_finds_the_minimum():
    random = np.random.default_rng(1)
    dense = random.normal(size=(200, 3))
    targets = (random.random(200) < 1 / (1 + np.exp(-(dense @ [2.0, -1.0, 0.0] + 0.5)))).astype(float)
    rows = Rows(starts=np.arange(0, 601, 3), columns=np.tile(np.arange(3), 200), values=dense.ravel(), width=3)
    weights, bias = fit(rows, targets, 1.0)
    miss = 1 / (1 + np.exp(-(dense @ weights + bias))) - targets
    assert dense.T @ miss + weights == pytest.approx(np.zeros(3), abs=1e-3)
    assert miss.sum() == pytest.approx(0, abs=1e-3)


def test_it_recovers_the_gap_of_real_answers():
    if not DATA.exists():
        pytest.skip(f"no {DATA}")
    with gzip.open(DATA) as lines:
        rows = [one for one in map(msgspec.json.decode, lines) if not one["contaminated"]]
    outcomes = Outcomes(
        prompts=tuple(one["prompt"] for one in rows),
        owned=tuple(float(one["scores"]["weak"]) for one in rows),
        frontier=tuple(float(one["scores"]["strong"]) for one in rows),
    )
    scores = cross_fitted(outcomes, np.array([one["fold"] for one in rows]))
    assert recovered_gap(scores, outcomes.gain) >= 0.60
