"""Train the injection model: `python -m bench.train_injection [--check]`.

Reads ../shared, prints figures with each source left out in turn, writes the model's files, the same bytes each time.
With --check nothing is written: exit code 1 where the bytes would differ from what is shipped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.injection_model import Floats, Row, importance, matrix, train
from bench.injection_rows import OWN, SHARED, development, elsewhere, written
from freehold.guard.detectors.injection import Weights, margin, windows
from freehold.guard.detectors.injection_features import VERSION
from freehold.guard.unseen import fold

MODEL = Path(__file__).parents[1] / "src" / "freehold" / "guard" / "detectors" / "model"
PENALTY = 5e-4
ALARMS = 0.01
"""Share of harmless texts of unknown sources that the threshold takes for attacks."""
ALARMS_DISGUISED = 0.07
"""The same of texts in disguise: what is added to their margin is the distance between the two thresholds."""
_MOST_WINDOWS = 3


class Trainer:
    """All rows as vectors once, so that leaving one source out costs only the fit."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = [
            Row(text, row.label, row.source)
            for row in rows
            for text in list(windows(fold(row.text).text))[:_MOST_WINDOWS]
        ]
        self.data = matrix([row.text for row in self.rows])
        self.labels = np.array([1.0 if row.label else -1.0 for row in self.rows])
        self.sources = np.array([row.source for row in self.rows])

    def fit(self, without: Collection[str] = ()) -> Weights:
        """A model of all rows but those of some sources. Its threshold is 0."""
        kept = ~np.isin(self.sources, sorted(without))
        rows = [row for row, keep in zip(self.rows, kept, strict=True) if keep]
        values, bias = train(self.data.some(kept), self.labels[kept], importance(rows), PENALTY)
        return Weights(values, bias, 0.0)


class Outcome:
    """Margins of rows by models that know nothing of their source."""

    def __init__(self, trainer: Trainer, rows: Sequence[Row]) -> None:
        self.rows = [row for row in rows if not row.source.startswith(OWN)]
        found: list[float] = [0.0] * len(self.rows)
        for source in sorted({row.source for row in self.rows}):
            weights = trainer.fit([source])
            for index, row in enumerate(self.rows):
                if row.source == source:
                    found[index] = margin(weights, row.text)
        self.margins = np.array(found)
        self.labels = np.array([row.label for row in self.rows])
        sizes = {(row.source, row.label): 0 for row in self.rows}
        for row in self.rows:
            sizes[row.source, row.label] += 1
        self.importance = np.array([min(1.0, 700 / sizes[row.source, row.label]) for row in self.rows])
        """A source counts for at most 700 rows."""

    def threshold(self, alarms: float = ALARMS) -> float:
        """The margin that so large a share of harmless rows reaches."""
        harmless = self.labels == 0
        return quantile(self.margins[harmless], self.importance[harmless], 1 - alarms)

    def recall(self, threshold: float) -> float:
        """Share of attacks above a margin."""
        attacks = self.labels == 1
        return float(self.importance[attacks & (self.margins > threshold)].sum() / self.importance[attacks].sum())

    def auroc(self) -> float:
        """Chance that an attack stands above a harmless text."""
        return auroc(self.margins, self.labels, self.importance)


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least value with at least that share of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(total, share * total[-1]))])


def auroc(margins: Floats, labels: NDArray[np.int64], weights: Floats) -> float:
    """Area under the curve, ties counted half."""
    values, place = np.unique(margins, return_inverse=True)
    attack = np.bincount(place, weights=weights * (labels == 1), minlength=len(values))
    harmless = np.bincount(place, weights=weights * (labels == 0), minlength=len(values))
    below = np.cumsum(harmless) - harmless / 2
    return float((attack * below).sum() / (attack.sum() * harmless.sum()))


def packed(weights: Weights, threshold: float, disguise: float, figures: dict[str, float]) -> tuple[bytes, bytes]:
    """The two files of a model: 16-bit weights, and the facts about them."""
    scale = float(np.abs(weights.values).max()) / 32767
    raw = np.rint(weights.values / scale).astype("<i2").tobytes()
    facts = {
        "features": VERSION,
        "scale": scale,
        "bias": round(weights.bias, 9),
        "threshold": round(threshold, 6),
        "disguise": round(disguise, 6),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "left_one_source_out": {name: round(value, 4) for name, value in figures.items()},
    }
    return raw, (json.dumps(facts, indent=1) + "\n").encode()


def table(outcome: Outcome, threshold: float) -> None:
    """Print what each source got while left out."""
    print(f"{'source left out':<22}{'label':>8}{'rows':>7}{'flagged':>9}")
    for source, label in sorted({(row.source, row.label) for row in outcome.rows}):
        here = np.array([(row.source, row.label) == (source, label) for row in outcome.rows])
        flagged = float((outcome.margins[here] > threshold).mean())
        print(f"{source:<22}{'attack' if label else 'harmless':>8}{int(here.sum()):>7}{flagged:>9.3f}")


def main() -> int:
    """Train, tell, write or check."""
    parser = argparse.ArgumentParser(prog="python -m bench.train_injection")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the shipped files differ")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the development data")
    given = parser.parse_args()
    real = development(given.shared) + elsewhere(given.shared)
    trainer = Trainer(real + written())
    outcome = Outcome(trainer, real)
    threshold = outcome.threshold()
    figures = {"auroc": outcome.auroc(), "recall_1fpr": outcome.recall(threshold)}
    table(outcome, threshold)
    raw, facts = packed(trainer.fit(), threshold, threshold - outcome.threshold(ALARMS_DISGUISED), figures)
    same = True
    for name, content in (("injection.weights", raw), ("injection.json", facts)):
        path = MODEL / name
        if given.check:
            same = same and path.exists() and path.read_bytes() == content
        else:
            path.write_bytes(content)
    print(json.dumps({**figures, "threshold": threshold, "rows": len(trainer.rows), "same": same}))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
