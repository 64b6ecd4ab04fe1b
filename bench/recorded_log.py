"""A log with its truth and other models' recorded answers, as sheets: one a workflow. Reads JSON lines, plain or gz."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from freehold.evals.cascades import Recorded, Sheet
from freehold.grading.choose import spec_for
from freehold.grading.types import Answer, Spec, ToolCall
from freehold.workflows.exchange import answer_of

JUDGED = ("pairwise_judge", "judge_or_similarity")
"""Scores of the log that come from a judge, or from nobody: no grader of right and wrong."""


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow of a log: its sheet, the grader its answers' shape proposes, and how the log was scored."""

    name: str
    sheet: Sheet
    spec: Spec
    scorer: str
    kinds: tuple[str, ...]
    """`recorded-vendor`, or `gold-as-vendor` where the gold label stands in for the vendor."""
    calls: int


class _Seen(msgspec.Struct, frozen=True):
    answer: Answer
    schema: dict[str, Any] | None = None


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON-lines file."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as opened:
        for line in opened:
            if line.strip():
                yield json.loads(line)


def read(log: Path, truth: Path, candidates: Path) -> list[Workflow]:
    """Every workflow of the truth, by name; calls in order of time. Memory: one answer a call and model."""
    said = {one["id"]: one for one in lines(truth)}
    calls: dict[str, list[str]] = defaultdict(list)
    answers: dict[str, Recorded] = {}
    for one in sorted(lines(log), key=lambda each: str(each["ts"])):
        known = said.get(one["id"])
        if known is None:
            continue
        calls[known["workflow"]].append(one["id"])
        latency = one.get("latency_ms")
        answers[one["id"]] = Recorded(
            score=float(known["vendor_score"]) if known.get("vendor_score") is not None else 0.0,
            answer=answer_of(json.dumps(one["response"]).encode()),
            latency=None if latency is None else latency / 1000,
        )
    others = _candidates(candidates)
    return [_workflow(name, ids, said, answers, others.get(name, {})) for name, ids in sorted(calls.items())]


def _workflow(
    name: str,
    ids: list[str],
    said: dict[str, dict[str, Any]],
    answers: dict[str, Recorded],
    others: dict[str, dict[str, Recorded]],
) -> Workflow:
    incumbent = tuple(answers[one] for one in ids)
    sheet = Sheet(
        calls=tuple(ids),
        incumbent=incumbent,
        models={model: tuple(found.get(one) for one in ids) for model, found in sorted(others.items())},
    )
    return Workflow(
        name=name,
        sheet=sheet,
        spec=spec_for(_Seen(one.answer) for one in incumbent if one.answer is not None),
        scorer=said[ids[0]]["scorer"],
        kinds=tuple(sorted({said[one]["response_kind"] for one in ids})),
        calls=len(ids),
    )


def _candidates(path: Path) -> dict[str, dict[str, dict[str, Recorded]]]:
    """By workflow, model and call; what has no score of right and wrong is left out."""
    found: dict[str, dict[str, dict[str, Recorded]]] = defaultdict(lambda: defaultdict(dict))
    for one in lines(path):
        if one.get("score") is None:
            continue
        latency = one.get("latency_ms")
        found[one["workflow"]][one["model"]][one["id"]] = Recorded(
            score=float(one["score"]),
            answer=_answer(one),
            latency=None if latency is None else latency / 1000,
        )
    return found


def _answer(one: dict[str, Any]) -> Answer | None:
    if one.get("tool_calls"):
        return Answer(tool_calls=tuple(ToolCall(each["name"], _text(each["arguments"])) for each in one["tool_calls"]))
    return Answer(text=_text(one["response"])) if one.get("response") is not None else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
