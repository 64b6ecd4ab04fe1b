"""The graders there are, and the two questions put to them: how good is an answer, and do two answers agree?"""

from __future__ import annotations

from freehold.grading.edit_distance import EditDistance
from freehold.grading.embedding import Embed, Embedding
from freehold.grading.errors import GraderFailed
from freehold.grading.inspect import Inspect
from freehold.grading.json_fields import JsonFields
from freehold.grading.label import Label
from freehold.grading.library import Library
from freehold.grading.number import Number
from freehold.grading.regex import Regex
from freehold.grading.sql import Sql
from freehold.grading.tool_call import ToolCalls
from freehold.grading.types import Answer, Grade, Grader, Spec

GRADERS: tuple[Grader, ...] = (
    Library(),
    EditDistance(),
    Embedding(),
    Inspect(),
    JsonFields(),
    Label(),
    Number(),
    Regex(),
    Sql(),
    ToolCalls(),
)
"""Sorted by name."""


def with_embedder(embed: Embed) -> tuple[Grader, ...]:
    """The same graders, with an embedder for `embedding`."""
    return tuple(Embedding(embed) if one.name == Embedding.name else one for one in GRADERS)


def find(kind: str, graders: tuple[Grader, ...] = GRADERS) -> Grader:
    """The grader of a name. Raises GraderFailed where there is none."""
    for one in graders:
        if one.name == kind:
            return one
    raise GraderFailed(f"there is no grader {kind!r}; there are {', '.join(one.name for one in graders)}")


def grade(spec: Spec, answer: Answer, reference: Answer, graders: tuple[Grader, ...] = GRADERS) -> Grade:
    """How good an answer is against a reference, in [0, 1]. Raises GraderFailed, whatever went wrong in the grader."""
    grader = find(spec.kind, graders)
    try:
        found = grader.grade(answer, reference, spec.options)
    except GraderFailed:
        raise
    except Exception as error:  # a grader is handed whatever models write: its defect is this item's failure
        raise GraderFailed(f"the grader {spec.kind!r} broke: {type(error).__name__}") from error
    if not 0.0 <= found.score <= 1.0:
        raise GraderFailed(f"the grader {spec.kind!r} gave {found.score}, which is no score")
    return found


def agree(spec: Spec, one: Answer, other: Answer, graders: tuple[Grader, ...] = GRADERS) -> bool:
    """Whether two answers say the same by this grader. Symmetric; True of an answer and itself where it says anything.

    False where either is empty, refuses, or cannot be read, and where the options make no sense: who asks then
    escalates. Raises GraderFailed where there is no such grader, or it broke.
    """
    grader = find(spec.kind, graders)
    try:
        return grader.agrees(one, other, spec.options)
    except GraderFailed:
        raise
    except Exception as error:  # as above
        raise GraderFailed(f"the grader {spec.kind!r} broke: {type(error).__name__}") from error


def check(spec: Spec) -> None:
    """Raises GraderFailed where there is no such grader, or it has no such options."""
    grader = find(spec.kind)
    try:
        grader.grade(Answer(text="1"), Answer(text="1"), spec.options)
    except GraderFailed as error:
        if error.param is not None or "option" in error.message:
            raise
