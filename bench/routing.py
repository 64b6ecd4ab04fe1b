"""`python -m bench.routing`: what routing by the prompt alone recovers, and what a guarantee lets through.

Cross-validated by the rows' own folds, contaminated rows left out. The last line is JSON: APGR of each set, the share
that may go to the weaker model when at most a tenth of what is routed may lose by it, microseconds a prompt.
"""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import msgspec
import numpy as np

from bench.kept import keep
from freehold.evals.difficulty import Outcomes, cross_fitted, recovered_gap, router
from freehold.evals.proof.risk import Promise
from freehold.gateway.routing.difficulty import Scorer

ROOT = Path(__file__).resolve().parent
DATA = ROOT.parents[1] / "shared" / "data" / "routing"
SETS = (("mmlu", 0.66), ("gsm8k", 0.60))
"""Each with the least APGR the project holds itself to."""
RISKS = (0.05, 0.1, 0.15, 0.2)
QUOTED = 0.1
_ROUNDS = 5


def main() -> None:
    figures: dict[str, object] = {}
    for name, bound in SETS:
        path = DATA / f"routellm_{name}.jsonl.gz"
        if not path.exists():
            print(f"{name} skipped: no {path}")
            continue
        outcomes, folds = _load(path)
        scores = cross_fitted(outcomes, folds)
        apgr = recovered_gap(scores, outcomes.gain)
        each = [recovered_gap(scores[folds == fold], outcomes.gain[folds == fold]) for fold in np.unique(folds)]
        print(f"{name:6} APGR {apgr:.4f} (bound {bound:g}; by fold {', '.join(f'{one:.3f}' for one in each)})")
        figures[f"apgr_{name}"] = round(apgr, 4)
        figures |= _promised(name, outcomes)
    print(json.dumps(figures))
    if figures:
        keep("routing", figures)


def _load(path: Path) -> tuple[Outcomes, np.ndarray]:
    with gzip.open(path) as lines:
        rows = [one for one in map(msgspec.json.decode, lines) if not one["contaminated"]]
    outcomes = Outcomes(
        prompts=tuple(one["prompt"] for one in rows),
        owned=tuple(float(one["scores"]["weak"]) for one in rows),
        frontier=tuple(float(one["scores"]["strong"]) for one in rows),
    )
    return outcomes, np.array([one["fold"] for one in rows])


def _promised(name: str, outcomes: Outcomes) -> dict[str, object]:
    """What may be routed at each risk, with 95 % confidence, and how long one prompt takes."""
    figures: dict[str, object] = {}
    shuffled = outcomes.of(np.random.default_rng(7).permutation(len(outcomes.prompts)).tolist())
    for risk in RISKS:
        fitted = router(shuffled, Promise(bound=risk))
        got = fitted.threshold
        told = "nothing may be routed" if got.value is None else f"{100 * got.routed:.1f} % may, losing {got.loss:.3f}"
        print(f"{name:6} at most {100 * risk:g} % loss among the routed: {told} (all of them: {got.overall:.3f})")
        if risk == QUOTED:
            figures[f"routed_{name}_at_10"] = round(got.routed, 4)
            figures[f"score_us_{name}"] = _microseconds(Scorer(fitted.parameters), outcomes)
    return figures


def _microseconds(scorer: Scorer, outcomes: Outcomes) -> float:
    """Of this process's own time, a prompt, the best of a few rounds."""
    prompts, best = outcomes.prompts[:1000], float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for one in prompts:
            scorer.difficulty(one)
        best = min(best, time.process_time() - began)
    return round(1e6 * best / len(prompts), 1)


if __name__ == "__main__":
    main()
