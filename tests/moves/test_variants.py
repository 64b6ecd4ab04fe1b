"""A sweep: every combination once, the least loss wins, what cannot be compared is left out and told."""

from __future__ import annotations

from typing import Any

import pytest

from freehold.core.errors import FreeholdError
from freehold.moves.telling import line, tried
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.job import File, Job, Trained
from freehold.moves.variants import MOST, Outcome, best, check, rows, variants


def made(loss: float | None, held_out: int = 4) -> Trained:
    metrics = {"loss_before": 2.0, "loss_after": loss, "held_out": held_out}
    job = Job(recipe="lora", workflow="wf_a")
    files = (File("adapter.gguf", "ab" * 32, 1),)
    return Trained(format="gguf", files=files, metrics=metrics, seconds=1.5, bytes=1, job=job)


def of(*losses: float | FreeholdError | None) -> list[Outcome]:
    return [
        Outcome({"rank": at}, error=one) if isinstance(one, FreeholdError) else Outcome({"rank": at}, made(one))
        for at, one in enumerate(losses, 1)
    ]


def test_variants_are_the_product_of_the_values_in_the_order_they_were_named() -> None:
    assert variants({"rank": [4, 8], "rate": [0.1, 0.2]}) == [
        {"rank": 4, "rate": 0.1},
        {"rank": 4, "rate": 0.2},
        {"rank": 8, "rate": 0.1},
        {"rank": 8, "rate": 0.2},
    ]


@pytest.mark.parametrize(
    ("recipe", "sweep", "why"),
    [
        ("classifier", {"rank": [4]}, "classifier has no variants"),
        ("prompt", {"examples": [4]}, "prompt has no variants"),
        ("lora", {"magic": [1]}, "no magic"),
        ("lora", {"held_out": [8, 16]}, "no held_out"),
        ("lora", {"rank": ["x"]}, "rank"),
        ("lora", {"rank": [4, 0]}, "positive"),
        ("lora", {"rank": [4, 4]}, "twice"),
        ("lora", {"rank": []}, "needs a value"),
        ("lora", {"rank": list(range(1, MOST + 2))}, "65 variants"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_before_anything_begins(
    recipe: str, sweep: dict[str, list[Any]], why: str
) -> None:
    with pytest.raises(BadOption, match=why):
        check(recipe, {}, sweep)


def test_as_many_variants_as_there_may_be_are_let_through() -> None:
    check("lora", {"most_tokens": 512}, {"rank": list(range(1, 33)), "rate": [0.1, 1]})


def test_the_least_loss_wins_and_of_equals_the_first() -> None:
    assert best(of(0.5, 0.25, 0.25, 0.75)) == 1


def test_what_failed_or_gives_no_number_is_left_out() -> None:
    outcomes = of(BadOption("the loss is no number after 3 steps"), float("nan"), None, 0.9)
    assert best(outcomes) == 3
    found = rows(outcomes, 3)
    assert found[0] == {"options": {"rank": 1}, "error": "FH-REQ-010 the loss is no number after 3 steps"}
    assert ["error" in one for one in found] == [True, True, True, False]
    taken = {"loss_before": 2.0, "loss_after": 0.9, "seconds": 1.5, "sha256": "ab" * 32, "chosen": True}
    assert found[3] == {"options": {"rank": 4}, **taken}


def test_where_all_failed_the_error_is_the_firsts() -> None:
    with pytest.raises(TooFewLessons, match="the first"):
        best(of(TooFewLessons("the first"), BadOption("the second")))
    with pytest.raises(BadOption, match="no number"):
        best(of(float("inf")))


def test_without_lessons_held_out_nothing_is_compared() -> None:
    with pytest.raises(TooFewLessons):
        best([Outcome({"rank": 4}, made(0.0, held_out=0))])


def test_people_read_what_was_tried_and_taken() -> None:
    outcomes = of(0.5, 0.25, BadOption("the loss is no number"))
    metrics = {"held_out": 4, "sweep": rows(outcomes, 1)}
    told = {"recipe": "lora", "seconds": 1.5, "bytes": 1, "target": "owned-a", "metrics": metrics}
    assert line("tuned", told).endswith("best of 3 variants: rank=2, loss 0.25 on 4 lessons held out")
    assert tried(metrics) == [
        ("rank=1", "loss 2 before, 0.5 after, in 2 s"),
        ("rank=2", "loss 2 before, 0.25 after, in 2 s; taken"),
        ("rank=3", "left out: FH-REQ-010 the loss is no number"),
    ]
    assert "variants" not in line("tuned", {**told, "metrics": {}})
