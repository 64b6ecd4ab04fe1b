"""A move begins with what its calls show; what is no settled task is refused with the reasons."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.errors import BadRequest, Conflict
from freehold.core.label import Label, Level
from freehold.core.permit import Origin
from freehold.evals.proof.validity import FAULTS, FLOOR
from freehold.gateway.routing.types import Routes
from freehold.moves.errors import BadRule, NotMature
from freehold.moves.outset import LEAST, Given, judged, outset
from freehold.moves.settings import MoveSettings
from freehold.policy.targets import Target
from freehold.workflows.records import Record
from freehold.workflows.types import Maturity, Workflow
from tests.moves.sample import record

WORKFLOW = Workflow(id="wf_a", name="triage", made_at=0.0)


def of(verdict: str) -> Workflow:
    return replace(WORKFLOW, maturity=Maturity(verdict=verdict, score=0.5, terms=(), reasons=("so", "and so")))


def test_what_explores_is_never_moved_and_what_changes_only_by_a_persons_word() -> None:
    for despite in (False, True):
        with pytest.raises(NotMature, match="triage is exploratory: so; and so"):
            judged(of("exploratory"), despite=despite)
    with pytest.raises(NotMature, match="immature: so") as told:
        judged(of("immature"), despite=False)
    assert "--despite-immaturity" in told.value.hint
    assert judged(of("immature"), despite=True)["despite"] is True


@pytest.mark.parametrize("verdict", ["young", "mature"])
def test_the_verdict_and_its_reasons_are_kept_with_the_move(verdict: str) -> None:
    kept = {"verdict": verdict, "score": 0.5, "why": "so; and so", "despite": False}
    assert judged(of(verdict), despite=False) == kept
    assert judged(WORKFLOW, despite=False)["verdict"] == "unknown"


def target(name: str, model: str, *, owned: bool = False) -> Target:
    return Target(
        name=name,
        provider="p",
        driver="openai",
        dialects=("openai_chat",),
        model=model,
        origin=Origin("http", "127.0.0.1", 1),
        owned=owned,
        clearance=Label(Level.INTERNAL),
    )


ROUTES = Routes(targets=(target("rented", "m"), target("owned-b", "b", owned=True)))


def begun(sample: list[Record], **given: Any) -> tuple[Any, Any]:
    return outset(Given(workflow="wf_a", **given), sample, ROUTES, MoveSettings(), 5000.0)


def sample(count: int = LEAST, **more: Any) -> list[Record]:
    return [record(number, ("yes", "no")[number % 2], **more) for number in range(count)]


def test_incumbent_grader_and_recipe_are_found_from_the_calls() -> None:
    plan, rule = begun(sample())
    assert (plan.incumbent, plan.recipe, rule.grader.kind, rule.window_until) == (
        "rented",
        "classifier",
        "label",
        5000.0,
    )
    assert begun(sample(target=""))[0].incumbent == "rented", "imported calls name a model, and a target serves it"
    dated = [replace(one, model="m-2026-01-01", target="") for one in sample()]
    assert begun(dated)[0].incumbent == "rented", "vendors answer under a dated name"
    assert begun(sample(), candidate="owned-b")[0].recipe == "none"


def test_what_is_usual_is_measured_from_the_incumbents_own_answers_before_any_outcome() -> None:
    _, rule = begun(sample())
    assert rule.usual == (FLOOR,) * len(FAULTS), "where nothing was wrong the floor stands"
    some = [record(number, "" if number % 10 == 0 else "yes") for number in range(300)]
    _, rule = begun([replace(one, response=one.response) for one in some])
    usual = dict(zip(FAULTS, rule.usual, strict=True))
    assert 0.1 < usual.pop("empty") < 0.15
    assert set(usual.values()) == {FLOOR}
    assert rule.digest() != begun(sample())[1].digest(), "it is part of the rule"
    with pytest.raises(BadRequest, match="usual"):
        begun(sample(), rule={"usual": [0.1]})


def test_what_cannot_be_begun_says_what_is_missing() -> None:
    with pytest.raises(Conflict, match=f"49 answered calls of the {LEAST}"):
        begun(sample(LEAST - 1))
    strangers = [replace(one, model="gpt-unheard", target="") for one in sample()]
    with pytest.raises(BadRequest, match="no target serves gpt-unheard") as told:
        begun(strangers)
    assert "--incumbent" in told.value.hint
    with pytest.raises(BadRequest, match="no target 'nobody'"):
        begun(sample(), incumbent="nobody")
    with pytest.raises(BadRequest, match="no target or composite 'nobody'"):
        begun(sample(), candidate="nobody")
    for rule in (
        {"margin": 2},
        {"steps": [0.5, 0.2]},
        {"grader": {"kind": 3}},
        {"grader": {"kind": "taste"}},
        {"alpha": "x"},
    ):
        with pytest.raises(BadRequest):
            begun(sample(), rule=rule)


@pytest.mark.parametrize(
    ("given", "says", "hint"),
    [
        ({"rule": {"margin": 5}}, "margin is 5", "moves start --help"),
        ({"rule": {"margin": 5}, "recipe": "lora"}, "margin is 5", "moves start --help"),
        ({"rule": {"harm": 0}}, "harm is 0", "moves start --help"),
        ({"rule": {"holdback": 2}}, "holdback is 2", "moves start --help"),
        ({"rule": {"step_pairs": 0}}, "step_pairs is 0", "moves start --help"),
        ({"rule": {"budget": "abc"}}, "budget is 'abc'", "moves start --help"),
        ({"recipe": "none"}, "a candidate is needed", "--candidate"),
        ({"recipe": "classifier", "candidate": "owned-b"}, "none can be named", "--recipe none"),
        ({"recipe": "prompt", "escalate": 0.9}, "how sure", "--escalate"),
        ({"candidate": "owned-b", "escalate": 0.9}, "how sure", "composite"),
        ({"incumbent": "owned-b"}, "owned already", "rented"),
        ({"candidate": "rented"}, "to itself", "--candidate"),
        ({"candidate": "nobody"}, "nobody", "routes list"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name_and_says_what_to_do(given: Any, says: str, hint: str) -> None:
    with pytest.raises(BadRule, match=says) as told:
        begun(sample(), **given)
    assert hint in str(told.value.hint)


def test_where_nothing_can_be_trained_every_way_to_a_trained_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    texts = [record(number, f"Dear number {number}, " * (number % 7 + 1)) for number in range(LEAST)]
    ways: tuple[dict[str, Any], ...] = ({"recipe": "lora"}, {})
    for given in ways:
        with pytest.raises(Conflict) as told:
            begun(texts, name="mail", **given)
        assert "make train" in str(told.value.hint) and "start mail --recipe none --candidate" in str(told.value.hint)


def test_answers_are_read_as_json() -> None:
    said = json.dumps({"team": "it"})
    plan, rule = begun([record(number, said) for number in range(LEAST)])
    assert rule.grader.kind == "json_fields"
    assert plan.recipe == "classifier"


@pytest.mark.parametrize("recipe", ["auto", "classifier", "prompt"])
def test_a_sweep_is_of_a_recipe_with_one_figure_to_compare(recipe: str) -> None:
    with pytest.raises(BadRequest, match="no variants") as told:
        begun(sample(), recipe=recipe, sweep={"rank": [4, 8]})
    assert told.value.param == "sweep"


def test_a_sweep_is_written_down_with_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())  # as where training is installed
    swept = {"rank": [4, 8], "rate": [0.001, 0.0003]}
    assert begun(sample(), recipe="lora", sweep=swept)[0].sweep == swept
    with pytest.raises(BadRequest, match="positive"):
        begun(sample(), recipe="lora", options={"batch": 0}, sweep=swept)
