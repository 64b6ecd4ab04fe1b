"""Moderation before a served guard model, or without one: a linear pre-filter for hateful wording, and few patterns.

It knows wordings, not meanings: counter-speech that quotes hate looks like it, hate in plain words does not. Flag with
it, or ask a guard model about what it flags; `bench.guard_moderation` says how far it carries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.resources import files
from io import BytesIO
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from freehold.core.errors import BadArtefact
from freehold.guard.detectors.moderation_features import PLACES, VERSION, Vectors
from freehold.guard.normalise import views
from freehold.guard.types import Finding, Piece

FILE = "moderation.npz"
"""Made by `python -m bench.train_moderation`; `moderation.md` beside it says of what."""

_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
_LONGEST = 400
"""Characters of one sentence; what is longer is cut."""
_FEWEST = 3
"""Words of a sentence that is judged alone."""

_MINE = (
    r"(?:want(?:ed)? to|going to|gonna|will|plan(?:ning)? to|should just|thinking (?:of|about)|thought about|ready to)",
    r"(?:kill(?:ing)? myself|end(?:ing)? (?:it all|my life)|hurt(?:ing)? myself|cut(?:ting)? myself)",
)
_WILL = r"(?:i(?:'ll| will|'m going to| am going to|'m gonna)|we(?:'ll| will|'re going to| are going to))"
_WHOM = r"(?:you|him|her|them|your|all of (?:you|them)|every (?:last )?one of)"

PATTERNS: tuple[tuple[str, str], ...] = (
    ("self_harm", rf"\b(?:i|i'm|im) (?:\w+ ){{0,3}}{_MINE[0]} (?:\w+ ){{0,2}}{_MINE[1]}\b"),
    ("self_harm", r"\bi (?:\w+ )?(?:want(?:ed)? to die|think (?:of|about) dying)\b"),
    ("self_harm", r"\bi don'?t want to (?:live|be alive)\b|\bi wish i (?:was|were) dead\b|\bno reason to live\b"),
    ("self_harm", r"\bich (?:will|möchte|werde) (?:\w+ ){0,3}(?:sterben|mich umbringen|mir das leben nehmen)"),
    ("self_harm", r"\bje veux (?:mourir|me tuer|me suicider)|\b(?:quiero|voy a) (?:morir(?:me)?|matarme|suicidarme)"),
    ("self_harm", r"\bvoglio (?:morire|uccidermi|ammazzarmi)"),
    ("threat", rf"\b{_WILL} (?:\w+ ){{0,4}}(?:kill|murder|shoot|stab|rape|beat up|burn|behead|hang|lynch) {_WHOM}\b"),
    ("threat", r"\bwatch your back\b|\byou(?:'re| are) (?:dead|a dead (?:man|woman))\b|\bi know where you live\b"),
    ("threat", r"\bich (?:bringe|bring|steche|schlage) (?:dich|euch|ihn|sie) (?:um|ab|tot)\b"),
    ("threat", r"\bje vais (?:te|vous|le|la|les) (?:tuer|buter)|\bte voy a matar|\bti (?:ammazzo|uccido)"),
)
"""Kind and pattern (RE2, in any case): somebody speaks of their own death, or says what they will do to somebody."""


class Model(msgspec.Struct, frozen=True):
    """Weights of one version of the features."""

    weights: NDArray[np.float32]
    bias: float

    def score(self, places: NDArray[np.intp], values: NDArray[np.float64]) -> float:
        """Of a vector, in [0, 1]."""
        if not len(places):
            return 0.0
        odds = float(self.weights[places] @ values) + self.bias
        return 1 / (1 + float(np.exp(-odds)))


class Moderation:
    """Judges a text by its worst sentence, or two in a row."""

    name = "moderation"
    version = f"1.{VERSION}"
    kinds = ("hate", "self_harm", "threat")
    span = 0
    context = 0

    def __init__(self, model: Model | None = None) -> None:
        """Without a model, the one in the package."""
        self._given = model

    def find(self, piece: Piece) -> Sequence[Finding]:
        """One finding a kind, over the whole text."""
        readings = (piece.text, *(view.text for view in views(piece.text)))
        scores = {kind: 1.0 for kind, pattern in self._patterns if any(map(pattern.search, readings))}
        hate = max(map(self.hate, readings))
        if hate >= 0.5:
            scores["hate"] = hate
        return [
            Finding(detector=self.name, kind=kind, start=0, end=len(piece.text), score=score)
            for kind, score in sorted(scores.items())
        ]

    def hate(self, text: str) -> float:
        """How sure the linear model is of its worst sentences, in [0, 1]."""
        vectors = Vectors()
        return max((self._model.score(*vectors.of(one)) for one in _stretches(text)), default=0.0)

    @cached_property
    def _model(self) -> Model:
        return self._given or packaged()

    @cached_property
    def _patterns(self) -> tuple[tuple[str, Any], ...]:
        import re2

        return tuple((kind, re2.compile(f"(?i){pattern}")) for kind, pattern in PATTERNS)


def packaged() -> Model:
    """The model in the package. Raises BadArtefact where it fits other features."""
    data = files("freehold.guard.detectors").joinpath(FILE).read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as held:
        weights, scale, bias, version = (held[name] for name in ("weights", "scale", "bias", "version"))
    if int(version) != VERSION or weights.shape != (PLACES,):
        raise BadArtefact(f"{FILE} fits other features", hint="make it anew: python -m bench.train_moderation")
    return Model(weights.astype(np.float32) * np.float32(scale), float(bias))


def _stretches(text: str) -> Iterator[str]:
    """Each sentence, alone and with the one before it."""
    before = ""
    for found in _SENTENCE.finditer(text):
        sentence = found[0].strip()[:_LONGEST]
        if sentence:
            if len(sentence.split()) >= _FEWEST:
                yield sentence
            if before:
                yield f"{before} {sentence}"
            before = sentence
