"""The recipe `classifier` on a recorded workflow beside packaged baselines, on the same later calls; and its speed.

    python -m bench.classifier_quality [--log FOLDER] [--workflow banking_intent]

Ends in one line of JSON. The packaged baselines learned from a training set of their own that is not in the log, of
10,003 texts or 130 for each of the 77 labels; one of them from 10 for each. Ours learns from nothing but the log's
earlier calls, 28 for each. So it is shown three times: as it is, with n-grams alone, and with 10 lessons for each label
beside the baseline that had as many.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.kept import keep
from freehold.evals.proof.noninferiority import Rule, State, advance, decide
from freehold.grading.types import Answer
from freehold.moves.training.child import run_job
from freehold.moves.training.classifier import FILE, run, wilson
from freehold.moves.training.job import USES, Base, Job, Lesson, Trained, prepare
from freehold.moves.training.softmax import calibration_error
from freehold.policy.rights import Facts, Rules, gate, told
from freehold.serving.catalogue import MODELS
from freehold.serving.linear import Linear
from freehold.settings.weights import chosen, folders

LOG = Path(__file__).resolve().parents[2] / "shared" / "data" / "workflows"
ALPHA = 0.025
MARGIN = 0.03
FEW = 10
"""Lessons for each label that one of the packaged baselines had."""
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


def encoder() -> Base | None:
    """The embedded one; None where set-up has not fetched it."""
    model = next(one for one in MODELS if one.kind == "embedding")
    path = chosen(folders("")) / model.file
    return Base(model.name, str(path), model.sha256) if path.exists() else None


def train(lessons: list[Lesson], base: Base | None) -> tuple[Linear, Trained]:
    """The model and what training said. The log's owner is taken to hold its content for internal."""
    facts = ((one, Facts(id=one.id, label="internal", vendor="openai-api")) for one in lessons)
    gated = gate(facts, USES["classifier"], Rules(), datetime.now(UTC).date())
    if gated.refused:
        raise SystemExit(told(gated))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "job"
        prepare(folder, Job(recipe="classifier", workflow="bench", base=base), gated.cleared)
        done = run_job(folder, run)
        asked = Path(base.file) if base is not None and done.uses_base else None
        return Linear.load(folder / "out" / FILE, asked), done


def some_of_each(lessons: list[Lesson], most: int) -> list[Lesson]:
    """The latest `most` of each label."""
    seen: Counter[str] = Counter()
    kept = []
    for one in reversed(lessons):
        seen[one.answer.text] += 1
        if seen[one.answer.text] <= most:
            kept.append(one)
    return kept[::-1]


def speed(model: Linear, requests: list[bytes], seconds: float = 3.0) -> float:
    """Calls a second of one core's time, JSON in, answer out: what others do on the machine does not count."""
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for one in requests:
            model.answer(one)
        count += len(requests)
    return count / spent


def judged(model: Linear, later: list[Lesson]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each later call's answer is the recorded one, and how sure it was said to be."""
    answers = [model.answer(one.request.encode()) for one in later]
    right = np.array([a.text == one.answer.text for a, one in zip(answers, later, strict=True)])
    return right, np.array([one.confidence for one in answers])


def composite(done: Trained, right: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    """What `auto` proposes where the classifier alone is refused, proven on the later calls in their order."""
    found = [one for one in done.metrics["trusted"] if one["bound"] <= MARGIN]
    if not found:
        print("  no confidence can be trusted within the margin: nothing is proposed")
        return {}
    best = max(found, key=lambda one: one["bound"])
    answers = confidence >= best["threshold"]
    differences = np.where(answers & ~right, -1.0, 0.0)  # where it escalates, the answer is the incumbent's
    alone, both = (proven(one) for one in (np.where(right, 0.0, -1.0), differences))
    print(f"  alone {-100 * (1 - right.mean()):+.1f} points: {alone}; asked where it is {best['threshold']:.0%} sure: "
          f"{answers.mean():.1%} of the calls, {100 * differences.mean():+.2f} points: {both}")  # fmt: skip
    return {**best, "answered": round(float(answers.mean()), 4), "difference": round(float(differences.mean()), 4),
            "alone": alone, "verdict": both}  # fmt: skip


def proven(differences: np.ndarray) -> str:
    """The verdict of the sequential test at the margin, with half the usual alpha."""
    rule = Rule(margin=MARGIN, alpha=ALPHA)
    found = decide(rule, advance(rule, State(), differences.tolist()))
    return f"{found.decision} after {found.decided_at or found.pairs}"


def encoded(model: Linear, requests: list[bytes]) -> float:
    """Share of the calls that the encoder was asked about."""
    return sum(model.doubts(one) for one in requests) / len(requests)


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
    base = encoder()
    model, done = train(earlier, base)
    right, confidence = judged(model, later)
    labels = len({one.answer.text for one in earlier})
    print(f"{options.workflow}: trained on {cut} earlier calls, {cut / labels:.0f} for each of {labels} labels, "
          f"in {done.seconds:.1f} s; judged on {len(later)} later ones")  # fmt: skip
    result: dict[str, Any] = {
        "workflow": options.workflow,
        "train": cut,
        "labels": labels,
        "test": len(later),
        "seconds": done.seconds,
        "encoder": base.name if base is not None and done.uses_base else "",
        "held_out": {name: done.metrics[name] for name in ("accuracy", "accuracy_low", "accuracy_high", "held_out")},
    }
    result["classifier"] = shown("this recipe", right)
    plain, _ = train(earlier, None)
    result["ngrams_alone"] = shown("  n-grams alone", judged(plain, later)[0])
    few = some_of_each(earlier, FEW)
    result["few"] = shown(f"  {FEW} for each label", judged(train(few, base)[0], later)[0])
    for name, scores in sorted(baselines.items()):
        result[name] = shown(name, np.array([scores[one.id] for one in later]) > 0)
    result["calibration_error"] = round(calibration_error(confidence, right), 4)
    for least in (0.5, 0.8, 0.9):
        sure = confidence >= least
        share, accuracy = float(sure.mean()), float(right[sure].mean())
        result[f"sure_{least}"] = {"share": round(share, 4), "accuracy": round(accuracy, 4)}
        print(f"  at least {least:.0%} sure: {share:.1%} of the calls, right in {accuracy:.1%}")
    result["composite"] = composite(done, right, confidence)
    asked = [one.request.encode() for one in later]
    result["encoded"] = round(encoded(model, asked), 4)
    result["calls_per_second"] = round(speed(model, asked))
    result["calls_per_second_ngrams"] = round(speed(plain, asked))
    print(f"  calibration error {result['calibration_error']:.1%}; {result['encoded']:.0%} of the calls are encoded")
    print(f"  {result['calls_per_second']} calls/s on one core, {result['calls_per_second_ngrams']} by n-grams alone")
    keep("classifier_quality", result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
