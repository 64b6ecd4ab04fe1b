"""The classifier's scorer: hashed n-grams of what the caller asks, linear heads, an answer in the workflow's own shape.

One safetensors file, no code in it. Pure numpy; the same file and request give the same answer everywhere.
Its confidence is a calibrated probability that the whole answer is the incumbent's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

View = Literal["last_user", "users", "all"]
"""Which turns of a request are read: the user's last, all of the user's, or all but the assistant's."""

Indices = npt.NDArray[np.int64]


class Head(msgspec.Struct, frozen=True):
    """One decision among `values`; `temperature` divides its scores before they are made probabilities (Guo 2017)."""

    values: tuple[str, ...]
    temperature: float = 1.0


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

    def __init__(self, description: Description, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Raises BadArtefact where the tensors do not fit the description."""
        self.description = description
        _check(description, tensors)
        self.vocabulary = Vocabulary(tensors["hashes"].astype(np.uint32), tensors["idf"].astype(np.float32))
        count = range(len(description.heads))
        # All heads side by side: one gather and one product serve them all.
        self._weights = np.hstack([tensors[f"weights.{i}"].astype(np.float32) for i in count])
        self._bias = np.concatenate([tensors[f"bias.{i}"].astype(np.float32) for i in count])
        ends = np.cumsum([len(head.values) for head in description.heads])
        self._bounds = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))

    @classmethod
    def load(cls, path: Path) -> Linear:
        """Read a model. Raises BadArtefact for what is no such file, OSError where it cannot be read."""
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
        return cls(description, tensors)

    def probabilities(self, text: str) -> list[Floats]:
        """For each head, the calibrated probability of each of its values."""
        return self._probabilities(*self.vocabulary.vector(text, self.description.reading))

    def _probabilities(self, rows: Indices, values: Floats) -> list[Floats]:
        scores = self._bias + values @ self._weights[rows]
        heads = zip(self._bounds, self.description.heads, strict=True)
        return [softmax(scores[start:end] / np.float32(head.temperature)) for (start, end), head in heads]

    def answer(self, request: bytes) -> Answered:
        """Answer an OpenAI chat request. Raises MalformedJson."""
        told = self.description
        chosen: list[int] = []
        rows, values = self.vocabulary.vector(text_of(request, told.view), told.reading)
        # Of a text without one known n-gram only the labels' frequencies are known: no ground for confidence.
        confidence = 1.0 - told.unseen if len(rows) else 0.0
        for odds in self._probabilities(rows, values):
            best = int(odds.argmax())
            chosen.append(best)
            confidence *= float(odds[best])
        labels = [head.values[index] for head, index in zip(told.heads, chosen, strict=True)]
        shape = told.shapes[chosen[0]] if len(told.shapes) > 1 else told.shapes[0]
        text, calls = render(shape, labels)
        return Answered(" ".join(labels), confidence, text, calls)


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis, without overflow."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    normed: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return normed


def save(path: Path, description: Description, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write a model; the same model gives the same bytes. Raises BadArtefact as Linear does."""
    from safetensors.numpy import save as pack

    Linear(description, tensors)
    # One key only: the library writes metadata in no fixed order.
    metadata = {"description": msgspec.json.encode(description, order="deterministic").decode()}
    path.write_bytes(pack({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, metadata))


def _check(told: Description, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
    if (told.format, told.scheme) != (FORMAT, SCHEME):
        have = f"{told.format} with {told.scheme}"
        raise BadArtefact(f"the classifier is {have}; this version knows {FORMAT} with {SCHEME}", hint="train it anew")
    _check_shapes(told)
    wanted: dict[str, tuple[int, ...]] = {}
    size = len(tensors["hashes"]) if "hashes" in tensors else 0
    wanted |= {"hashes": (size,), "idf": (size,)}
    for index, head in enumerate(told.heads):
        wanted |= {f"weights.{index}": (size, len(head.values)), f"bias.{index}": (len(head.values),)}
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
    if not 0 <= told.unseen < 1:
        raise BadArtefact("the classifier's share of unseen answers is no share")
    used = set().union(*(slots(shape) for shape in told.shapes))
    if len(told.shapes) > 1 and (used or len(heads) != 1 or len(heads[0].values) != len(told.shapes)):
        raise BadArtefact("the classifier's shapes do not fit its head")
    if any(not 0 <= slot < len(heads) for slot in used):
        raise BadArtefact("the classifier's shape has a slot that no head fills")
