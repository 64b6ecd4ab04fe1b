"""Looking into an owned model: architecture, tensors and their statistics, tokenizer, template, embeddings, difference.

What a closed model never shows. Everything is read from bytes that were checked a moment ago.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.artefacts import Store
from freehold.registry.types import Manifest
from freehold.registry.weights import Tensor, Weights, opened

if TYPE_CHECKING:
    import numpy as np

_EMBEDDINGS = ("token_embd.weight", "model.embed_tokens.weight", "embeddings.word_embeddings.weight")
_NEAREST = 10


class Figures(msgspec.Struct, frozen=True):
    """Statistics over a tensor's values; `zeros` and `broken` (infinite or no number) are counts."""

    name: str
    values: int
    mean: float
    deviation: float
    least: float
    greatest: float
    zeros: int
    broken: int


class Neighbour(msgspec.Struct, frozen=True):
    """A token near another, by the cosine of their embeddings."""

    token: str
    cosine: float


class Embeddings(msgspec.Struct, frozen=True):
    """The token embeddings: lengths of their vectors, and who is near one token."""

    tokens: int
    width: int
    shortest: float
    mean: float
    longest: float
    token: str = ""
    neighbours: tuple[Neighbour, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """How far a tensor is from its base's: the length of the difference over the length of the base's."""

    name: str
    relative: float


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is made of."""

    name: str
    format: str
    architecture: str
    parameters: int
    layers: int
    types: dict[str, int]
    """Tensors by the type of their values."""
    facts: dict[str, Any]
    tensors: tuple[Tensor, ...]
    tokenizer: dict[str, Any]
    template: str
    template_sha256: str
    figures: tuple[Figures, ...] = ()
    embeddings: Embeddings | None = None
    base: str = ""
    differences: tuple[Difference, ...] = ()
    """From the base's tensors of the same names, the largest first."""


def inspect(store: Store, name: str, token: str = "", *, deep: bool = False) -> Inspection:
    """Look into a model. `deep` reads every value; `token` names one whose neighbours are wanted.

    Raises as `Store.verify` does, BadArtefact for forms that cannot be looked into, NotFound for an unknown token.
    """
    manifest = store.verify(name)
    weights = opened(store.blob(manifest.files[0].sha256), _form(manifest))
    template = str(weights.facts.get("tokenizer.chat_template", ""))
    base = manifest.lineage.base if manifest.lineage else ""
    return Inspection(
        name=name,
        format=manifest.format,
        architecture=weights.architecture,
        parameters=sum(math.prod(one.shape) for one in weights.tensors),
        layers=_layers(weights),
        types=_types(weights),
        facts={key: value for key, value in weights.facts.items() if not key.startswith("tokenizer.")},
        tensors=weights.tensors,
        tokenizer={
            key.removeprefix("tokenizer."): value
            for key, value in weights.facts.items()
            if key.startswith("tokenizer.") and key != "tokenizer.chat_template"
        },
        template=template,
        template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        figures=tuple(_figures(weights, one.name) for one in weights.tensors) if deep else (),
        embeddings=_embeddings(weights, token) if deep or token else None,
        base=base,
        differences=_differences(store, weights, base) if deep and base else (),
    )


def _form(manifest: Manifest) -> str:
    ending = manifest.files[0].name.rpartition(".")[2].lower()
    return ending if ending in ("gguf", "safetensors") else manifest.format


def _layers(weights: Weights) -> int:
    told = weights.facts.get(f"{weights.architecture}.block_count")
    if isinstance(told, int):
        return told
    numbers = {part for one in weights.tensors for part in one.name.split(".") if part.isdigit()}
    return len(numbers)


def _types(weights: Weights) -> dict[str, int]:
    kinds = sorted({one.type for one in weights.tensors})
    return {kind: sum(one.type == kind for one in weights.tensors) for kind in kinds}


def _figures(weights: Weights, name: str) -> Figures:
    """In one pass, with Chan's way of joining means and squares of pieces."""
    import numpy as np

    count, mean, squares, zeros, broken = 0, 0.0, 0.0, 0, 0
    least, greatest = math.inf, -math.inf
    for piece in weights.pieces(name):
        values = piece[np.isfinite(piece)].astype(np.float64)
        broken += piece.size - values.size
        if not values.size:
            continue
        zeros += int(np.count_nonzero(values == 0))
        least, greatest = min(least, float(values.min())), max(greatest, float(values.max()))
        part = float(values.mean())
        gap, total = part - mean, count + values.size
        squares += float(((values - part) ** 2).sum()) + gap * gap * count * values.size / total
        mean += gap * values.size / total
        count = total
    deviation = math.sqrt(squares / count) if count else 0.0
    if not count:
        least = greatest = 0.0
    return Figures(name, count + broken, mean, deviation, least, greatest, zeros, broken)


def _embeddings(weights: Weights, token: str) -> Embeddings | None:
    import numpy as np

    names = {one.name for one in weights.tensors}
    name = next((one for one in _EMBEDDINGS if one in names), "")
    if not name:
        return None
    lengths = np.concatenate([np.linalg.norm(piece, axis=1) for piece in weights.pieces(name)])
    width = next(one.shape[-1] for one in weights.tensors if one.name == name)
    neighbours = _neighbours(weights, name, token, lengths) if token else ()
    return Embeddings(
        len(lengths), width, float(lengths.min()), float(lengths.mean()), float(lengths.max()), token, neighbours
    )


def _neighbours(weights: Weights, name: str, token: str, lengths: np.ndarray[Any, Any]) -> tuple[Neighbour, ...]:
    import numpy as np

    words = weights.words()
    spelt = next((one for one in (token, f"\u0120{token}", f"\u2581{token}") if one in words), None)
    if spelt is None:
        raise NotFound(f"{token[:40]!r} is no token of this model", hint="try it with a capital, or a shorter word")
    at = words.index(spelt)
    start = 0
    for piece in weights.pieces(name):
        if at < start + len(piece):
            wanted = piece[at - start].copy()
            break
        start += len(piece)
    else:
        raise BadArtefact("the model has fewer embeddings than tokens")
    cosines = np.concatenate([piece @ wanted for piece in weights.pieces(name)])
    cosines = cosines / np.maximum(lengths * np.linalg.norm(wanted), 1e-12)
    order = [int(one) for one in np.argsort(-cosines) if one != at and one < len(words)][:_NEAREST]
    return tuple(Neighbour(words[one], float(cosines[one])) for one in order)


def _differences(store: Store, weights: Weights, base: str) -> tuple[Difference, ...]:
    manifest = store.verify(base)
    other = opened(store.blob(manifest.files[0].sha256), _form(manifest))
    shapes = {one.name: one.shape for one in other.tensors}
    same = [one.name for one in weights.tensors if shapes.get(one.name) == one.shape]
    found = (Difference(one, _relative(weights.pieces(one), other.pieces(one))) for one in same)
    return tuple(sorted(found, key=lambda one: -one.relative))


def _relative(mine: Iterator[np.ndarray[Any, Any]], theirs: Iterator[np.ndarray[Any, Any]]) -> float:
    import numpy as np

    gap, length = 0.0, 0.0
    for one, other in zip(mine, theirs, strict=True):
        gap += float(np.square(one.astype(np.float64) - other).sum())
        length += float(np.square(other.astype(np.float64)).sum())
    return math.sqrt(gap / length) if length else math.sqrt(gap)
