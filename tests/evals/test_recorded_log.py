"""The development log: what is known of its policies must come out, and what must be refused is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cascade import DATA, searched
from bench.model_sizes import billions, closed
from bench.recorded_log import read
from bench.verdicts import SINGLE, verdict
from freehold.evals.cascades import Policy, simulate
from freehold.evals.proof.noninferiority import Rule
from freehold.grading.types import Spec

FILES = tuple(DATA / f"{name}.jsonl.gz" for name in ("traffic", "truth", "candidates"))


@pytest.fixture(scope="module")
def log():
    if not all(Path(one).exists() for one in FILES):
        pytest.skip(f"the development log is not in {DATA}")
    return {one.name: one for one in read(*FILES)}


def of(log, workflow, *members):
    found = log[workflow]
    return simulate(found.sheet, Policy(kind="agreement", members=members), found.spec)


def test_two_small_models_that_agree_keep_four_fifths_of_math(log):
    outcome = of(log, "math_json", "Meta-Llama-3.1-8B-Instruct", "gemma-2-9b-it")
    assert log["math_json"].spec == Spec("number", {"field": "answer"})
    assert outcome.pairs == 1319
    assert outcome.kept == pytest.approx(0.809, abs=0.005)
    assert outcome.delta == pytest.approx(-0.005, abs=0.001)


def test_two_small_models_that_agree_beat_the_vendor_at_tool_calls(log):
    outcome = of(log, "tool_call", "Salesforce_xLAM-7b-fc-r", "meetkai_functionary-small-v3.1-FC")
    assert outcome.pairs == 1000
    assert outcome.kept == pytest.approx(0.75, abs=0.005)
    assert outcome.delta == pytest.approx(0.942 - 0.901, abs=0.001)


def test_no_single_open_model_under_100_billion_is_proven_on_math(log):
    found = searched(log["math_json"], Rule(margin=0.03), 100.0, 1)
    assert found.considered >= 14
    assert found.best is None
    assert found.nearest.policy.name == "Meta-Llama-3.1-70B-Instruct"


def test_graders_are_proposed_by_the_shape_of_answers(log):
    kinds = {name: one.spec.kind for name, one in log.items()}
    assert kinds == {
        "banking_intent": "label",
        "dept_routing": "label",
        "exploratory": "edit_distance",
        "math_json": "number",
        "receipt_extract": "json_fields",
        "support_reply": "edit_distance",
        "text2sql": "sql",
        "tool_call": "tool_call",
    }


def test_what_only_a_judge_scored_is_never_compared(log):
    for name in ("exploratory", "support_reply"):
        assert not verdict(log[name], SINGLE, 1.0, Rule(), 20.0).moves


def test_sizes_are_read_off_names_and_vendors_are_told_apart():
    assert [billions(one) for one in ("Qwen2-7B-Instruct", "Mixtral-8x7B", "Phi-3.5-mini-instruct", "owned:knn")] == [
        7.0,
        56.0,
        3.8,
        0.0,
    ]
    assert billions("open-mistral-nemo-2407") == 12.0
    assert billions("somebody") is None
    assert closed("gpt-4o-mini") and closed("claude-3-opus") and not closed("gemma-2-9b-it")
