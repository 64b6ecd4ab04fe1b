"""What evaluation writes down: judgements, runs, rows. Frozen values; times in Unix seconds, money in picodollars."""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.grading.types import Answer, Spec

Reference = Literal["incumbent", "annotations"]
RunState = Literal["waiting", "running", "done", "stopped", "failed"]
CANDIDATE, AGAIN = "candidate", "again"
"""Sides of a run: the candidate's answers, and the incumbent's to the same calls once more."""


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A person's judgement of one call: what would have been right, or how good an answer is."""

    id: bytes
    record: bytes
    kind: Literal["answer", "score"]
    answer: Answer | None = None
    """Of kind `answer`; None where its content was erased."""
    target: str = ""
    """Of kind `score`: whose answer; empty for the recorded one."""
    score: float | None = None
    """In [0, 1]."""
    who: str
    at: float
    note: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measures and how far it may go. Fixed when it begins, but for its budget."""

    workflow: str
    """Id of the workflow."""
    target: str
    """The candidate: a target or a composite."""
    grader: Spec
    reference: Reference = "incumbent"
    """What answers are graded against: what was recorded, or what people said is right."""
    since: float | None = None
    until: float | None = None
    """Unix seconds, excluded."""
    limit: int = 1000
    """Most calls, the latest of the window, near-duplicates counted once."""
    incumbent: str = ""
    """Target that is asked once more about some calls, to tell how much it differs from itself; empty for none."""
    noise: int = 100
    """How many calls those are."""
    timeout: float = 120.0
    """Seconds until a candidate's answer counts as none."""
    budget: str = ""
    """US dollars, decimal text; empty for no bound."""
    embedder: str = ""
    """Target that embeds, for the grader `embedding`."""
    passes: float = 0.5
    """Score from which a task counts as passed, for the cost of a passed task."""
    hopeless: float | None = None
    """Once the whole interval of the difference lies below it, nothing more is asked; None asks everything."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of one candidate."""

    id: str
    at: float
    plan: Plan
    state: RunState = "waiting"
    dataset: str = ""
    """SHA-256 of the examples, in hex."""
    examples: int = 0
    actor: str = ""
    ended_at: float | None = None
    error: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, graded. `score` is None where it could not be graded for a reason that is not the model's."""

    record: bytes
    side: str
    target: str
    score: float | None
    reference_score: float | None = None
    """The recorded answer's, by the same reference."""
    status: int = 0
    error: str = ""
    latency: float | None = None
    cost: int | None = None
    input: int = 0
    output: int = 0
    composite: str = ""
