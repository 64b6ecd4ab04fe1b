"""Likeness of meaning: the cosine of two texts' embeddings. The embedder is a port, bound by who grades."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import CLOSE, by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.types import Answer, Grade

Embed = Callable[[str], Sequence[float]]


class Embedding:
    """Cosine of embeddings, what is below 0 counted as 0. No options but `agree_at`."""

    name = "embedding"

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """A likeness in [0, 1]. Raises GraderFailed where no embedder is bound, or it gives nothing to compare."""
        read.known(options, ())
        if self._embed is None:
            raise GraderFailed("no embedder is at hand here", hint="name an embedding model for the run")
        if not reference.text.strip():
            raise GraderFailed("the reference is empty")
        if not answer.text.strip():
            return Grade(0.0, "empty")
        if answer.text == reference.text:
            return Grade(1.0)
        return Grade(max(0.0, cosine(self._embed(answer.text), self._embed(reference.text))))

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of texts that are at least 0.9 alike, or as `agree_at` says."""
        return by_score(self, one, other, options, CLOSE)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of two vectors, in [-1, 1]. Raises GraderFailed where lengths differ, or a vector has none."""
    if len(one) != len(other):
        raise GraderFailed("the embedder gave vectors of different length")
    sizes = math.sqrt(math.fsum(each * each for each in one)) * math.sqrt(math.fsum(each * each for each in other))
    if not sizes or not math.isfinite(sizes):
        raise GraderFailed("the embedder gave a vector without a direction")
    return max(-1.0, min(1.0, math.fsum(a * b for a, b in zip(one, other, strict=True)) / sizes))
