"""The smallest models that are real: a classifier that tells bills from locks, in a store of its own."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from freehold.registry.artefacts import Manifest, Store
from freehold.registry.trained import Product, admit_trained
from freehold.serving.answer_shape import CallShape, Shape
from freehold.serving.linear import Description, Head, save
from freehold.serving.ngrams import Reading, ngrams

TEXTS = {"billing": "invoice refund charged twice bill", "access": "password locked out login reset"}
AS_TEXT = Shape(text=(0,))
AS_JSON = Shape(text=('{"intent":"', 0, '"}'))
AS_CALL = Shape(calls=(CallShape(("route_ticket",), ('{"queue":"', 0, '"}')),))


def write_classifier(path: Path, shape: Shape = AS_TEXT, texts: dict[str, str] | None = None) -> Path:
    """A classifier that knows the words of `texts` (label to words)."""
    texts = texts or TEXTS
    reading = Reading()
    hashes = np.unique(np.concatenate([ngrams(one, reading)[0] for one in texts.values()]))
    weights = np.zeros((len(hashes), len(texts)), np.float32)
    for column, text in enumerate(texts.values()):
        weights[np.isin(hashes, ngrams(text, reading)[0]), column] = 8
    tensors = {"hashes": hashes, "idf": np.ones(len(hashes), np.float32), "weights.0": weights}
    tensors["bias.0"] = np.zeros(len(texts), np.float32)
    save(path, Description(reading=reading, heads=(Head(tuple(texts)),), shapes=(shape,)), tensors)
    return path


def admit_classifier(store: Store, folder: Path, name: str = "tickets-1", **given) -> Manifest:
    """The same, admitted."""
    path = write_classifier(folder / "linear.safetensors", **given)
    product = Product(
        name=name, kind="classifier", format="safetensors", files=(path,), recipe="classifier", dataset_sha256="d" * 64
    )
    return admit_trained(store, product, time.time())
