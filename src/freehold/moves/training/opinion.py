"""A second opinion for a classifier: heads on n-grams and a sentence encoder's vector, for calls that leave doubt.

It is kept where it is better on the later lessons by more than chance. How sure the first must be to stand alone is
the least confidence at which next to nothing is lost on those lessons.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.moves.training.heads import Fitted, Stages, crossed, fit_head, sides
from freehold.moves.training.job import Workshop
from freehold.serving.linear import Indices, Second
from freehold.serving.ngrams import Floats

MOST_ENCODED = 12_000
"""Lessons up to which it is tried unasked: about a minute of one thread, and with more the n-grams suffice."""
LEAST_GAIN = 0.01
"""Of accuracy: less is not worth a hundredfold cost of each call in doubt."""
CHANCE = 1.645
"""Standard deviations by which those it mends must outnumber those it spoils (one-sided 5 %)."""
WEIGHT = 2.0
"""Length of the encoder's vector beside n-grams of length 1."""
LOST = 0.005
"""Of accuracy, that not asking the encoder about calls without doubt may cost: they are most, and it is slow."""
SURE = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)


class Lessons(msgspec.Struct, frozen=True):
    """What is learned from."""

    texts: Sequence[str]
    rows: Sequence[tuple[Indices, Floats]]
    width: int
    labels: npt.NDArray[np.int64]
    """[lessons, heads]."""
    heads: Sequence[Sequence[str]]


class Manner(msgspec.Struct, frozen=True):
    """How heads are fitted."""

    held_out: float
    penalties: tuple[float, ...]


class Outcome(msgspec.Struct, frozen=True):
    """On the later lessons, by models that have not seen them: is the whole answer right, and how sure was it?"""

    right: npt.NDArray[np.bool_]
    confidence: npt.NDArray[np.float64]


class Opinion(msgspec.Struct, frozen=True):
    """What came of trying it."""

    described: Second
    fitted: list[Fitted]
    outcome: Outcome
    """Of both together."""
    helps: bool
    metrics: dict[str, object]


def judged(fitted: Sequence[Fitted], labels: npt.NDArray[np.int64], missing: float) -> Outcome:
    """The heads' outcome on the later lessons' `labels`; `missing` is the share of answers that were not learned."""
    right = np.ones(len(labels), bool)
    confidence = np.full(len(labels), 1.0 - missing)
    for index, one in enumerate(fitted):
        right &= one.scores.argmax(axis=1) == labels[:, index]
        confidence *= crossed(one.scores, labels[:, index])
    return Outcome(right, confidence)


def second_opinion(
    shop: Workshop, lessons: Lessons, manner: Manner, stages: Stages, first: Outcome, missing: float
) -> Opinion:
    """Encode the lessons, fit the heads, and see whether they help `first`. Raises BadArtefact, FileRefused."""
    from freehold.serving.encoder import Encoder

    base = shop.job.base
    assert base is not None
    encoder = Encoder(Path(base.file))
    vectors = encoder.vectors(lessons.texts)
    places = np.arange(lessons.width, lessons.width + encoder.width)
    joined = [
        (np.concatenate([rows, places]), np.concatenate([values, np.float32(WEIGHT) * vector]))
        for (rows, values), vector in zip(lessons.rows, vectors, strict=True)
    ]
    data = sides(joined, lessons.width + encoder.width, manner.held_out)
    fitted = []
    for index, values in enumerate(lessons.heads):
        made = fit_head(data, lessons.labels[:, index], len(values), manner.penalties, stages, f"second.{index}")
        # The served vector has length 1: its weights carry what it weighs here.
        made.weights[lessons.width :] *= np.float32(WEIGHT)
        fitted.append(made)
    own = judged(fitted, lessons.labels[data.cut :], missing)
    sure = _sure(first, own)
    alone = first.confidence >= sure
    outcome = Outcome(np.where(alone, first.right, own.right), np.where(alone, first.confidence, own.confidence))
    described = Second(
        encoder_sha256=base.sha256,
        width=encoder.width,
        sure=sure,
        temperatures=tuple(one.temperature for one in fitted),
    )
    metrics: dict[str, object] = {
        "ngrams_alone": round(float(first.right.mean()), 5),
        "encoder": base.name,
        "encoded": round(float((~alone).mean()), 5),
    }
    return Opinion(described, fitted, outcome, _helps(first, outcome), metrics)


def _sure(first: Outcome, own: Outcome) -> float:
    """The least confidence from which on the first alone loses next to nothing; above 1 where it always loses more."""
    for one in SURE:
        alone = first.confidence >= one
        lost = int(own.right[alone].sum()) - int(first.right[alone].sum())
        if alone.any() and lost <= LOST * len(alone):
            return one
    return 1.01


def _helps(first: Outcome, both: Outcome) -> bool:
    """McNemar 1947, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12."""
    mended = int((both.right & ~first.right).sum())
    spoiled = int((first.right & ~both.right).sum())
    gain = (mended - spoiled) / max(len(first.right), 1)
    return gain >= LEAST_GAIN and mended - spoiled >= CHANCE * sqrt(mended + spoiled)
