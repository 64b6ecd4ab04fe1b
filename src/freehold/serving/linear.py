"""The classifier's scorer: hashed n-grams of what the caller asks, linear heads, an answer in the workflow's own shape.

One safetensors file, no code in it. Pure numpy; without an encoder the same file and request give the same answer
everywhere.
Its confidence is a calibrated probability that the whole answer is the incumbent's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.core.errors import BadArtefact, MalformedJson
from freehold.grading.types import ToolCall
from freehold.serving.answer_shape import Shape, render, slots
from freehold.serving.ngrams import SCHEME, Floats, Hashes, Reading, ngrams

FORMAT = "freehold-linear-1"
"""`metadata["description"]` of the file is a Description as JSON, and names this."""
WITH_ENCODER = "freehold-linear-2"
"""The same with a second opinion."""

_ENCODER = "serve it from a store that has the encoder it names: freehold models fetch"

View = Literal["last_user", "users", "all"]
"""Which turns of a request are read: the user's last, all of the user's, or all but the assistant's."""

Indices = npt.NDArray[np.int64]


class Head(msgspec.Struct, frozen=True):
    """One decision among `values`; `temperature` divides its scores before they are made probabilities (Guo 2017)."""

    values: tuple[str, ...]
    temperature: float = 1.0


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """A second opinion: heads that read a sentence encoder's vector beside the n-grams, asked only in doubt."""

    encoder_sha256: str
    """Of the encoder's file: no other gives the same vectors."""
    width: int
    sure: float
    """Confidence from which on the n-grams answer alone: the encoder costs a hundred times as much."""
    temperatures: tuple[float, ...]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """All of a model but its numbers. With several shapes the one head chooses among them, and they have no slots."""

    format: str = FORMAT
    scheme: str = SCHEME
    reading: Reading = Reading()
    view: View = "last_user"
    heads: tuple[Head, ...]
    shapes: tuple[Shape, ...]
    unseen: float = 0.0
    """Estimated share of calls whose right answer was never in training: all confidence is lowered by it."""
    second: Second | None = None
    facts: dict[str, str] = {}
    """For people: data, recipe and metrics in words."""


class Answered(msgspec.Struct, frozen=True):
    """An answer: the label in short, the probability that it is right, and what the caller is sent."""

    label: str
    confidence: float
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class _Piece(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Piece] | None = None


class _Request(msgspec.Struct):
    messages: list[_Message] = []


_decoder = msgspec.json.Decoder(_Request)


def text_of(request: bytes, view: View = "last_user") -> str:
    """What a classifier reads of an OpenAI chat request. Raises MalformedJson."""
    try:
        messages = _decoder.decode(request).messages
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJson(f"the request cannot be read: {error}") from None
    if view == "last_user":
        last = next((one for one in reversed(messages) if one.role == "user"), None)
        return "" if last is None else _text(last)
    roles = {"user"} if view == "users" else {"system", "developer", "user", "tool"}
    return "\n".join(_text(one) for one in messages if one.role in roles)


def _text(message: _Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(piece.text for piece in message.content or ())


class Vocabulary:
    """The n-grams a model knows: their hashes, ascending, and each one's inverse document frequency."""

    def __init__(self, hashes: Hashes, idf: Floats) -> None:
        self.hashes = hashes
        self.idf = idf
        self._last = max(len(hashes) - 1, 0)

    def vector(self, text: str, reading: Reading) -> tuple[Indices, Floats]:
        """Rows and values of a text: (1 + ln tf) idf, of unit length; n-grams outside the vocabulary are left out."""
        found, counts = ngrams(text, reading)
        if not len(found) or not len(self.hashes):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = np.minimum(np.searchsorted(self.hashes, found), self._last)
        known = self.hashes[rows] == found
        rows = rows[known]
        values = (1 + np.log(counts[known])) * self.idf[rows]
        length = float(np.sqrt(values @ values))
        return rows, values / np.float32(length) if length else values


class Linear:
    """A classifier, ready to answer."""

    def __init__(
        self,
        description: Description,
        tensors: Mapping[str, npt.NDArray[np.generic]],
        encode: Callable[[str], Floats] | None = None,
    ) -> None:
        """Raises BadArtefact where the tensors do not fit the description, or a second opinion has no encoder."""
        self.description = description
        _check(description, tensors)
        if description.second is not None and encode is None:
            raise BadArtefact("the classifier was trained with an encoder, and is opened without", hint=_ENCODER)
        self._encode = encode
        self.vocabulary = Vocabulary(tensors["hashes"].astype(np.uint32), tensors["idf"].astype(np.float32))
        count = range(len(description.heads))
        # All heads side by side: one gather and one product serve them all.
        self._weights = np.hstack([tensors[f"weights.{i}"].astype(np.float32) for i in count])
        self._bias = np.concatenate([tensors[f"bias.{i}"].astype(np.float32) for i in count])
        self._temperatures = [head.temperature for head in description.heads]
        if description.second is not None:
            both = np.hstack([tensors[f"second.weights.{i}"].astype(np.float32) for i in count])
            self._again, self._vectors = np.split(both, [len(tensors["hashes"])])
            self._again_bias = np.concatenate([tensors[f"second.bias.{i}"].astype(np.float32) for i in count])
        ends = np.cumsum([len(head.values) for head in description.heads])
        self._bounds = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))

    @classmethod
    def load(cls, path: Path, encoder: Path | None = None) -> Linear:
        """Read a model, and the encoder it was trained with, where it was with one.

        Raises BadArtefact for what is no such file, OSError where it cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise BadArtefact(f"{path.name} is no safetensors file: {error}", param=str(path)) from None
        try:
            description = msgspec.json.decode(metadata.get("description", ""), type=Description)
        except msgspec.DecodeError as error:
            raise BadArtefact(f"{path.name} describes itself wrongly: {error}", param=str(path)) from None
        if description.second is None or encoder is None:
            return cls(description, tensors)
        from freehold.serving.encoder import Encoder

        return cls(description, tensors, Encoder(encoder).vector)

    def probabilities(self, text: str) -> list[Floats]:
        """For each head, the calibrated probability of each of its values."""
        return self._decided(text)[0]

    def doubts(self, request: bytes) -> bool:
        """Is the encoder asked about this request? Raises MalformedJson."""
        rows, values = self.vocabulary.vector(text_of(request, self.description.view), self.description.reading)
        return self._doubts(self._first(rows, values)[1])

    def _first(self, rows: Indices, values: Floats) -> tuple[list[Floats], float]:
        odds = self._odds(self._bias + values @ self._weights[rows], self._temperatures)
        # A text without one known n-gram is like nothing that was learned: no ground for confidence.
        return odds, _product(odds) if len(rows) else 0.0

    def _doubts(self, sure: float) -> bool:
        second = self.description.second
        return second is not None and sure * (1.0 - self.description.unseen) < second.sure

    def _decided(self, text: str) -> tuple[list[Floats], float]:
        """Probabilities by head, and how sure the whole answer is before what was never seen is counted."""
        rows, values = self.vocabulary.vector(text, self.description.reading)
        odds, sure = self._first(rows, values)
        second = self.description.second
        if second is None or self._encode is None or not self._doubts(sure):
            return odds, sure
        scores = self._again_bias + values @ self._again[rows] + self._encode(text) @ self._vectors
        odds = self._odds(scores, second.temperatures)
        return odds, _product(odds) if len(rows) else 0.0

    def _odds(self, scores: Floats, temperatures: Sequence[float]) -> list[Floats]:
        heads = zip(self._bounds, temperatures, strict=True)
        return [softmax(scores[start:end] / np.float32(heat)) for (start, end), heat in heads]

    def answer(self, request: bytes) -> Answered:
        """Answer an OpenAI chat request. Raises MalformedJson."""
        told = self.description
        odds, sure = self._decided(text_of(request, told.view))
        chosen = [int(one.argmax()) for one in odds]
        labels = [head.values[index] for head, index in zip(told.heads, chosen, strict=True)]
        shape = told.shapes[chosen[0]] if len(told.shapes) > 1 else told.shapes[0]
        text, calls = render(shape, labels)
        return Answered(" ".join(labels), sure * (1.0 - told.unseen), text, calls)


def _product(odds: Sequence[Floats]) -> float:
    """Probability that every head's likeliest value is right, heads taken as independent."""
    return math.prod(float(one.max()) for one in odds)


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis, without overflow."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    normed: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return normed


def save(path: Path, description: Description, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write a model; the same model gives the same bytes. Raises BadArtefact as Linear does."""
    from safetensors.numpy import save as pack

    _check(description, tensors)
    # One key only: the library writes metadata in no fixed order.
    metadata = {"description": msgspec.json.encode(description, order="deterministic").decode()}
    path.write_bytes(pack({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, metadata))


def _check(told: Description, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
    known = FORMAT if told.second is None else WITH_ENCODER
    if (told.format, told.scheme) != (known, SCHEME):
        have = f"{told.format} with {told.scheme}"
        raise BadArtefact(f"the classifier is {have}; this version knows {known} with {SCHEME}", hint="train it anew")
    _check_shapes(told)
    wanted: dict[str, tuple[int, ...]] = {}
    size = len(tensors["hashes"]) if "hashes" in tensors else 0
    wanted |= {"hashes": (size,), "idf": (size,)}
    for index, head in enumerate(told.heads):
        wanted |= {f"weights.{index}": (size, len(head.values)), f"bias.{index}": (len(head.values),)}
        if told.second is not None:
            wanted |= {f"second.{name}": shape for name, shape in (
                (f"weights.{index}", (size + told.second.width, len(head.values))),
                (f"bias.{index}", (len(head.values),)))}  # fmt: skip
    found = {name: one.shape for name, one in tensors.items()}
    if found != wanted:
        raise BadArtefact(f"the classifier's tensors are {found} where {wanted} are described")
    if not all(np.isfinite(one).all() for one in tensors.values()):
        raise BadArtefact("the classifier holds numbers that are none")
    if not np.all(tensors["hashes"][1:] > tensors["hashes"][:-1]):  # type: ignore[operator]
        raise BadArtefact("the classifier's n-grams are not in order")


def _check_shapes(told: Description) -> None:
    heads: Sequence[Head] = told.heads
    if not heads or not told.shapes or not all(head.values and head.temperature > 0 for head in heads):
        raise BadArtefact("the classifier has a head without values, or no shape to answer in")
    second = told.second
    if second is not None and (len(second.temperatures) != len(heads) or min(second.temperatures) <= 0):
        raise BadArtefact("the classifier's second opinion does not fit its heads")
    if not 0 <= told.unseen < 1:
        raise BadArtefact("the classifier's share of unseen answers is no share")
    used = set().union(*(slots(shape) for shape in told.shapes))
    if len(told.shapes) > 1 and (used or len(heads) != 1 or len(heads[0].values) != len(told.shapes)):
        raise BadArtefact("the classifier's shapes do not fit its head")
    if any(not 0 <= slot < len(heads) for slot in used):
        raise BadArtefact("the classifier's shape has a slot that no head fills")
