"""What graders work on: an answer, a grade, and the specification of a grader, which a rule can name and hash."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class ToolCall(msgspec.Struct, frozen=True):
    """One call of a tool; `arguments` is the JSON text the model wrote."""

    name: str
    arguments: str


class Answer(msgspec.Struct, frozen=True):
    """What a model answered, in whatever dialect it came."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: bool = False
    finish: str = "stop"
    """OpenAI's `finish_reason`."""
    confidence: float | None = None
    """Calibrated probability of being right, where the target states one."""


class Spec(msgspec.Struct, frozen=True):
    """A grader by name, with its options (plain JSON values). Equal specifications grade equally."""

    kind: str
    options: dict[str, Any] = {}


class Grade(msgspec.Struct, frozen=True):
    """How good an answer is against a reference: `score` in [0, 1], and why, for people."""

    score: float
    detail: str = ""


class Grader(Protocol):
    """One way of grading. Pure: no I/O, no clock, no randomness."""

    name: str

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """Raises GraderFailed where the reference or the options make no sense; a bad *answer* scores 0."""

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """Whether two answers say the same. Symmetric; an answer that says nothing usable agrees with none."""
