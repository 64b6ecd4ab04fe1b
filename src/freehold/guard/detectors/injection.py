"""Attempts to turn a model against its instructions: a linear model of our own over what a text says and what it reads
as once codes and disguises are undone; and characters that only a model sees, which no honest text has.

A detector of wholes. It knows wordings, not intentions: docs/explanation/injection.md says what it misses.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from freehold.guard.detectors.injection_features import PLACES, VERSION, vector
from freehold.guard.normalise import views
from freehold.guard.types import Finding, Piece
from freehold.guard.unseen import disguised, fold, smuggled

WINDOW = 1024
"""Characters judged at once; longer texts by overlapping windows, the worst one counts."""
MOST_VIEWS = 12
"""Readings judged; a text with more of them is judged by the longest."""
_WORDS = 3
"""A code that says fewer words is no disguise: markup and addresses are full of them."""
_STEEP = 4.0
"""Slope of the score over the margin."""


class Weights(msgspec.Struct, frozen=True):
    """A trained model."""

    values: NDArray[np.float64]
    """One weight for each place of a vector."""
    bias: float
    threshold: float
    """Margin that one in a hundred harmless texts of sources unknown to the model reaches."""
    disguise: float = 0.0
    """What is added to the margin of a text in disguise: so much less is needed to distrust it."""

    def margin(self, text: str) -> float:
        """Signed distance from the line between harmless and attack; the worst window counts."""
        return max(self._one(window) for window in windows(text))

    def _one(self, text: str) -> float:
        places, values = vector(text)
        return float((self.values[places] * values).sum()) + self.bias


def windows(text: str) -> Iterator[str]:
    """The text itself, or overlapping windows of it."""
    if len(text) <= WINDOW:
        yield text
        return
    step = WINDOW // 2
    for start in range(0, len(text) - step, step):
        yield text[start : start + WINDOW]


def margin(weights: Weights, text: str) -> float:
    """The worst margin over the readings of a text. One that was written in disguise is distrusted more readily."""
    plain = fold(text).text
    worst = weights.margin(plain) + (weights.disguise if disguised(text) else 0.0)
    read = [view for view in views(text) if view.text != plain and any(map(str.isalpha, view.text))]
    for view in sorted(read, key=lambda one: -len(one.text))[:MOST_VIEWS]:
        hidden = view.how[-1] != "folded" and len(view.text.split()) >= _WORDS
        worst = max(worst, weights.margin(view.text) + (weights.disguise if hidden else 0.0))
    return worst


class Injection:
    """Judges a text as a whole: `injection`, or `hidden_text` where characters nobody sees write something."""

    name = "injection"
    span = 0
    context = 0
    kinds = ("hidden_text", "injection")

    def __init__(self, weights: Weights | None = None) -> None:
        self._weights = weights or shipped()
        facts = f"{VERSION} {self._weights.bias} {self._weights.threshold} {self._weights.disguise}".encode()
        self.version = hashlib.sha256(facts + self._weights.values.tobytes()).hexdigest()[:12]

    def find(self, piece: Piece) -> tuple[Finding, ...]:
        """At most one finding of each kind, over the whole piece. A score of 0.5 is the threshold."""
        text = piece.text
        found = list(self.find_hidden(text))
        score = self.score(text)
        if score >= 0.2:
            found.append(self._finding("injection", text, score))
        return tuple(found)

    def find_hidden(self, text: str) -> tuple[Finding, ...]:
        """Text in characters that nobody sees, whatever it says."""
        hidden = any(any(map(str.isalnum, said)) for _start, _end, said in smuggled(text))
        return (self._finding("hidden_text", text, 1.0),) if hidden else ()

    def score(self, text: str) -> float:
        """In [0, 1]; 0.5 at the threshold."""
        if not text.strip():
            return 0.0
        distance = margin(self._weights, text) - self._weights.threshold
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, _STEEP * distance))))

    def _finding(self, kind: str, text: str, score: float) -> Finding:
        return Finding(detector=self.name, kind=kind, start=0, end=len(text), score=round(score, 4))


@cache
def shipped() -> Weights:
    """The model that comes with the package. Raises ValueError where it does not fit this code."""
    folder = files("freehold.guard.detectors") / "model"
    facts = json.loads((folder / "injection.json").read_text("utf-8"))
    raw = (folder / "injection.weights").read_bytes()
    if facts["features"] != VERSION or len(raw) != 2 * PLACES or hashlib.sha256(raw).hexdigest() != facts["sha256"]:
        raise ValueError("the injection model does not fit this version")
    return unpack(raw, facts)


def unpack(raw: bytes, facts: dict[str, float]) -> Weights:
    """Weights from 16-bit integers, little end first, and their scale."""
    values = np.frombuffer(raw, dtype="<i2").astype(np.float64) * facts["scale"]
    return Weights(values, facts["bias"], facts["threshold"], facts["disguise"])
