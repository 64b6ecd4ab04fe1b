"""The recipe `classifier` on a recorded workflow beside packaged baselines, on the same later calls; and its speed.

    python -m bench.classifier_quality [--log FOLDER] [--workflow banking_intent]

Ends in one line of JSON. The baselines learned from a training set of their own, about three times as large, that is
not in the log; ours learns from nothing but the log's earlier calls, so their figures are bounds and not peers.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from freehold.grading.types import Answer
from freehold.moves.training.child import run_job
from freehold.moves.training.classifier import FILE, run, wilson
from freehold.moves.training.job import USES, Job, Lesson, prepare
from freehold.moves.training.softmax import calibration_error
from freehold.policy.rights import Facts, Rules, gate, told
from freehold.serving.linear import Linear

LOG = Path(__file__).resolve().parents[2] / "shared" / "data" / "workflows"
TRAIN = 0.7
"""Share of the calls, by time, that train."""


def lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) as file:
        return [json.loads(line) for line in file]


def read(folder: Path, workflow: str) -> tuple[list[Lesson], dict[str, dict[str, float]]]:
    """The workflow's calls in order, and each baseline's scores by call."""
    ids = {one["id"] for one in lines(folder / "truth.jsonl.gz") if one["workflow"] == workflow}
    found = [
        Lesson(
            id=one["id"],
            at=datetime.fromisoformat(one["ts"]).timestamp(),
            request=json.dumps(one["request"]),
            answer=Answer(one["response"]["choices"][0]["message"]["content"] or ""),
        )
        for one in lines(folder / "traffic.jsonl.gz")
        if one["id"] in ids
    ]
    scores: dict[str, dict[str, float]] = {}
    for one in lines(folder / "candidates.jsonl.gz"):
        if one["workflow"] == workflow and one["kind"] == "owned-baseline":
            scores.setdefault(one["model"], {})[one["id"]] = one["score"]
    return sorted(found, key=lambda one: (one.at, one.id)), scores


def train(lessons: list[Lesson], folder: Path) -> tuple[Linear, float]:
    """The model and the seconds it took. The log's owner is taken to hold its content for internal."""
    facts = ((one, Facts(id=one.id, label="internal", vendor="openai-api")) for one in lessons)
    gated = gate(facts, USES["classifier"], Rules(), datetime.now(UTC).date())
    if gated.refused:
        raise SystemExit(told(gated))
    prepare(folder, Job(recipe="classifier", workflow="bench"), gated.cleared)
    done = run_job(folder, run)
    return Linear.load(folder / "out" / FILE), done.seconds


def speed(model: Linear, requests: list[bytes], seconds: float = 3.0) -> float:
    """Calls a second on this one thread, JSON in, answer out."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        for one in requests:
            model.answer(one)
        count += len(requests)
    return count / spent


def shown(name: str, right: np.ndarray) -> dict[str, float]:
    low, high = wilson(float(right.mean()), len(right))
    print(f"  {name:<28} {right.mean():7.1%}   95 % interval {low:.1%} to {high:.1%}")
    return {"accuracy": round(float(right.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--workflow", default="banking_intent")
    options = parser.parse_args()
    if not (options.log / "traffic.jsonl.gz").exists():
        print(f"skipped: no recorded log in {options.log}")
        return
    lessons, baselines = read(options.log, options.workflow)
    cut = round(len(lessons) * TRAIN)
    earlier, later = lessons[:cut], lessons[cut:]
    with tempfile.TemporaryDirectory() as folder:
        model, seconds = train(earlier, Path(folder) / "job")
    answers = [model.answer(one.request.encode()) for one in later]
    right = np.array([a.text == one.answer.text for a, one in zip(answers, later, strict=True)])
    confidence = np.array([one.confidence for one in answers])
    print(f"{options.workflow}: trained on {cut} earlier calls in {seconds:.1f} s, judged on {len(later)} later ones")
    result: dict[str, Any] = {"workflow": options.workflow, "train": cut, "test": len(later), "seconds": seconds}
    result["classifier"] = shown("this recipe", right)
    for name, scores in sorted(baselines.items()):
        result[name] = shown(name, np.array([scores[one.id] for one in later]) > 0)
    result["calibration_error"] = round(calibration_error(confidence, right), 4)
    for least in (0.5, 0.8, 0.9):
        sure = confidence >= least
        share, accuracy = float(sure.mean()), float(right[sure].mean())
        result[f"sure_{least}"] = {"share": round(share, 4), "accuracy": round(accuracy, 4)}
        print(f"  at least {least:.0%} sure: {share:.1%} of the calls, right in {accuracy:.1%}")
    result["calls_per_second"] = round(speed(model, [one.request.encode() for one in later]))
    print(f"  calibration error {result['calibration_error']:.1%}; {result['calls_per_second']} calls/s on one thread")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
