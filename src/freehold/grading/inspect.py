"""Scorers of the framework inspect-ai that need no model, where it is installed. Offline only: its import is slow."""

from __future__ import annotations

import importlib.util
from collections.abc import Coroutine
from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import CLOSE, by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.types import Answer, Grade

SCORERS = ("answer", "exact", "f1", "includes", "match", "pattern")
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Values of inspect's own: correct, partial, incorrect, no answer."""


class Inspect:
    """What inspect-ai's tasks are scored by, so that a score there and a score here are the same.

    Options: `scorer`: one of `answer`, `exact`, `f1`, `includes`, `match`, `pattern`; `with`: that scorer's arguments.
    """

    name = "inspect"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """In [0, 1]. Raises GraderFailed where inspect-ai is not installed, or its scorer refuses its arguments."""
        read.known(options, ("scorer", "with"))
        name = read.text(options, "scorer")
        if name not in SCORERS:
            raise GraderFailed(f"there is no scorer {name!r}; there are {', '.join(SCORERS)}", param="scorer")
        if importlib.util.find_spec("inspect_ai") is None:
            raise GraderFailed("inspect-ai is not installed", hint="pip install 'freehold[inspect]'", param="scorer")
        return _score(name, read.mapping(options, "with"), answer.text, reference.text)

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True of answers that score at least 0.9 by each other, or as `agree_at` says."""
        return by_score(self, one, other, options, CLOSE)


def _score(name: str, arguments: dict[str, Any], answer: str, reference: str) -> Grade:
    from inspect_ai import scorer
    from inspect_ai.model import ModelName, ModelOutput
    from inspect_ai.solver import TaskState

    try:
        judge = getattr(scorer, name)(**arguments)
    except (TypeError, ValueError) as error:
        raise GraderFailed(f"{name} refuses its arguments: {error}", param="with") from None
    output = ModelOutput.from_content("recorded", answer)
    state = TaskState(model=ModelName("none/recorded"), sample_id=0, epoch=0, input="", messages=[], output=output)
    found = _run(judge(state, scorer.Target(reference)))
    value = found.value
    if isinstance(value, str):
        value = _LETTERS.get(value, value)
    try:
        score = float(value)
    except (TypeError, ValueError):
        raise GraderFailed(f"{name} gave {value!r}, which is no score") from None
    return Grade(min(1.0, max(0.0, score)), found.explanation or "")


def _run(scoring: Coroutine[Any, Any, Any]) -> Any:
    """The result of a scorer that only computes. Raises GraderFailed for one that waits for something."""
    try:
        scoring.send(None)
    except StopIteration as done:
        return done.value
    scoring.close()
    raise GraderFailed("this scorer waits for something else: only those that compute can be used")
