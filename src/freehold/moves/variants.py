"""A sweep: a recipe's options with several values each. Which variants that makes, and which of them is taken. Pure.

The best is the one with the least loss on the lessons that were held out of training. They are part of the window, so
calls that decide about the candidate have no part in the choice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.core.errors import FreeholdError
from freehold.moves.training.errors import BadOption, TooFewLessons
from freehold.moves.training.job import Trained
from freehold.moves.training.lora_options import options_of

MOST = 64
"""Variants of a sweep."""
LEAST_LESSONS = 10
"""With fewer none is held out."""
SWEPT = ("alpha", "batch", "epochs", "rank", "rate", "steps")
"""Options that change what is learned, and not what it is measured by."""

Sweep = Mapping[str, Sequence[Any]]


class Outcome(msgspec.Struct, frozen=True):
    """How a variant ended: with a result or with an error."""

    options: dict[str, Any]
    """Those of the sweep."""
    made: Trained | None = None
    error: FreeholdError | None = None


def variants(sweep: Sweep) -> list[dict[str, Any]]:
    """The product of the values, the last name's changing fastest. Raises BadOption for none, and for too many."""
    count = math.prod(len(one) for one in sweep.values())
    if not count:
        raise BadOption("the sweep: each option needs a value", param="sweep", hint="such as --sweep rank=4,8")
    if count > MOST:
        hint = "name fewer values, or begin another move with the rest"
        raise BadOption(f"the sweep makes {count} variants, and {MOST} is the most", param="sweep", hint=hint)
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def check(recipe: str, options: Mapping[str, Any], sweep: Sweep) -> None:
    """Raises BadOption where the recipe has no such options or values, or nothing to choose a variant by."""
    if recipe != "lora":
        hint = "leave out --sweep, or name --recipe lora"
        raise BadOption(f"the recipe {recipe} has no variants that one figure compares", param="sweep", hint=hint)
    for name, values in sweep.items():
        if name not in SWEPT:
            raise BadOption(f"the sweep has no {name}", param="sweep", hint=f"it takes {', '.join(SWEPT)}")
        if len(values) != len({repr(one) for one in values}):
            raise BadOption(f"the sweep names a value of {name} twice", param="sweep", hint="name each once")
    for one in variants(sweep):
        options_of({**options, **one})


def best(outcomes: Sequence[Outcome]) -> int:
    """The place of the variant with the least loss, the first of equals. Raises the first's error where all failed."""
    losses = [(loss, place) for place, one in enumerate(outcomes) if (loss := _loss(one)) is not None]
    if losses:
        return min(losses)[1]
    raise outcomes[0].error or _uncompared(outcomes[0])


def rows(outcomes: Sequence[Outcome], chosen: int) -> list[dict[str, Any]]:
    """What each variant had, as plain JSON, for metrics and dossier. Seconds are of its training."""
    return [_row(one, chosen=place == chosen) for place, one in enumerate(outcomes)]


def _row(one: Outcome, *, chosen: bool) -> dict[str, Any]:
    if one.made is None:
        return {"options": one.options, "error": "" if one.error is None else f"{one.error.code} {one.error.message}"}
    metrics = one.made.metrics
    measured = {name: metrics.get(name) for name in ("loss_before", "loss_after")}
    row = {"options": one.options, **measured, "seconds": one.made.seconds, "sha256": one.made.files[0].sha256}
    if _loss(one) is None:
        failed = _uncompared(one)
        row["error"] = f"{failed.code} {failed.message}"
    return {**row, "chosen": True} if chosen else row


def _loss(one: Outcome) -> float | None:
    """Of the held-out lessons; None where there is nothing to compare by."""
    if one.made is None or not one.made.metrics.get("held_out"):
        return None
    loss = one.made.metrics.get("loss_after")
    return loss if isinstance(loss, int | float) and math.isfinite(loss) else None


def _uncompared(one: Outcome) -> FreeholdError:
    if one.made is not None and not one.made.metrics.get("held_out"):
        return few()
    return BadOption("the loss on the lessons held out is no number", param="sweep", hint="take lower rates")


def few() -> TooFewLessons:
    """What is said where no lesson is held out."""
    return TooFewLessons(f"fewer than {LEAST_LESSONS} lessons hold none out to compare variants by")
