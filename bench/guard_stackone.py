"""stackone-defender's classifier on the same texts: `python -m bench.guard_stackone --data DIR`, in an environment of
its own with `stackone-defender[onnx]`, google-re2 and msgspec. The last line is JSON.

It was trained by its makers on sources of theirs; every row here is new to it as far as is known. Weighted as in
`bench.guard_injection`: each source counts for at most so many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.guard_files import read
from bench.guard_injection import few, weights_of
from bench.train_injection import auroc, quantile

DATA = Path(__file__).parents[2] / "shared" / "data" / "guardrails"


def main() -> int:
    """Measure and print."""
    from stackone_defender.classifiers.onnx_classifier import OnnxClassifier

    parser = argparse.ArgumentParser(prog="python -m bench.guard_stackone", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    judge = OnnxClassifier()
    judge.warmup()
    figures: dict[str, Any] = {}
    plain = [one for _, one in read(data, "injection_")]
    parts = (("injection", few(plain, {str(one["source"]) for one in plain}), 0.99),
             ("obfuscated", [one for _, one in read(data, "obfuscated_")], 0.95))  # fmt: skip
    for part, items, allowed in parts:
        scores, seconds = [], []
        for one in items:
            began = time.perf_counter()
            scores.append(judge.classify(one["text"]))
            seconds.append(time.perf_counter() - began)
        found, labels, weights = np.array(scores), np.array([int(one["label"]) for one in items]), weights_of(items)
        bound = quantile(found[labels == 0], weights[labels == 0], allowed)
        above = (found > bound) & (labels == 1)
        figures |= {
            f"{part}_auroc": float(auroc(found, labels, weights)),
            f"{part}_recall_{round((1 - allowed) * 100)}fpr": float(weights[above].sum() / weights[labels == 1].sum()),
            f"{part}_p50_ms": float(np.median(seconds) * 1000),
        }
    for name, value in figures.items():
        print(f"{name:<28}{value:>10.3f}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
