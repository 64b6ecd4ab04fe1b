"""Makes the moderation pre-filter's weights: `python -m bench.train_moderation`. The same data give the same file."""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.moderation_phrases import harmless
from freehold.evals.logistic import Floats, Rows, fit
from freehold.guard.detectors import moderation
from freehold.guard.detectors.moderation import Model
from freehold.guard.detectors.moderation_features import PLACES, VERSION, vector

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "guardrails"
PENALTY = 0.3
PHRASES = 1500
ORDINARY = 1500
Row = dict[str, object]


def read(folder: Path, name: str) -> list[Row]:
    """The rows of one file of the development data."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ordinary(folder: Path) -> list[Row]:
    """Requests of the s-labs source that are no attack: what people ask of models."""
    rows = [one for one in read(folder, "injection_train") if one["source"] == "s-labs" and one["label"] == 0]
    return random.Random(0).sample(rows, ORDINARY)


def matrix(rows: Sequence[Row]) -> Rows:
    """Their vectors."""
    vectors = [vector(str(one["text"])) for one in rows]
    starts = np.concatenate([[0], np.cumsum([len(places) for places, _ in vectors])]).astype(np.intp)
    columns = np.concatenate([places for places, _ in vectors])
    return Rows(starts=starts, columns=columns, values=np.concatenate([one for _, one in vectors]), width=PLACES)


def labels(rows: Sequence[Row]) -> Floats:
    """Their `label`s."""
    return np.array([float(str(one["label"])) for one in rows])


def trained(rows: Rows, targets: Floats) -> Model:
    """The model of some rows."""
    weights, bias = fit(rows, targets, PENALTY, 80)
    return Model(weights.astype(np.float32), bias)


def rounded(model: Model) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int8]], float]:
    """Weights as bytes, and what one step of them is worth."""
    scale = float(np.abs(model.weights).max()) / 127
    return np.round(model.weights / scale).astype(np.int8), scale


def main() -> int:
    """Train on all of it and write the package's file."""
    if not SHARED.is_dir():
        print(f"{SHARED} is not here", file=sys.stderr)
        return 1
    rows = [*read(SHARED, "toxicity_dev"), *ordinary(SHARED), *harmless(PHRASES)]
    model = trained(matrix(rows), labels(rows))
    weights, scale = rounded(model)
    path = Path(moderation.__file__).with_name(moderation.FILE)
    np.savez_compressed(path, weights=weights, scale=scale, bias=model.bias, version=VERSION)
    print(f"{len(rows)} rows; {path} has {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
