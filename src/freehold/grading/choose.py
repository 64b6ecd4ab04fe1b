"""Chooses a grader from the shape of a workflow's answers. A proposal: who starts a move may name another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from freehold.grading.json_text import json_of
from freehold.grading.normal import bare, day_of, number_of
from freehold.grading.types import Answer, Spec

MOST = 500
"""Exchanges looked at."""
_MOSTLY = 0.8
_SHORT = 64
_LONG_FIELD = 160
_SQL = re.compile(r"^\s*(?:```sql\s*|```\s*)?(?:select|with|insert|update|delete)\b", re.IGNORECASE)


class Shaped(Protocol):
    """What is looked at: an exchange's answer, and the schema its request asked for."""

    @property
    def answer(self) -> Answer:
        """What was answered."""

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the answer, where one was asked for."""


def spec_for(sample: Iterable[Shaped]) -> Spec:
    """The grader for answers like these.

    Free text gets `edit_distance`, which proves hardly more than copying: a judge that was measured against people
    is what may stand in its place.
    """
    seen = [one for one, _ in zip(sample, range(MOST), strict=False)]
    answers = [one.answer for one in seen if not one.answer.refusal and (one.answer.text or one.answer.tool_calls)]
    if not answers:
        return Spec("edit_distance")
    if _share(bool(one.tool_calls) for one in answers) >= 0.5:
        return Spec("tool_call")
    texts = [one.text for one in answers if one.text]
    objects = [one for one in map(json_of, texts) if isinstance(one, dict)]
    if len(objects) >= _MOSTLY * len(texts):
        return _of_objects(objects, [one.schema for one in seen])
    if _share(_SQL.match(one) is not None for one in texts) >= _MOSTLY:
        return Spec("sql")
    if _share("\\boxed" in one for one in texts) >= 0.5:
        return Spec("number")
    if _share(number_of(one) is not None for one in texts) >= _MOSTLY:
        return Spec("number")
    if _labels(texts):
        return Spec("label")
    return Spec("edit_distance")


def _labels(texts: Sequence[str]) -> bool:
    """Short one-line answers that recur."""
    short = [bare(one) for one in texts if len(one) <= _SHORT and "\n" not in one.strip()]
    if len(short) < _MOSTLY * len(texts):
        return False
    counts = Counter(short)
    return _share(counts[one] > 1 for one in short) >= 0.5 or len(counts) <= max(2, len(short) // 3)


def _of_objects(objects: Sequence[dict[str, Any]], schemas: Sequence[dict[str, Any] | None]) -> Spec:
    """Fields of free prose (a reasoning, a summary) do not count where others do."""
    names = Counter(name for one in objects for name in one)
    common = sorted(name for name, count in names.items() if count >= 0.5 * len(objects))
    values = {name: [one[name] for one in objects if name in one] for name in common}
    prose = [name for name in common if _prose(values[name])]
    kept = [name for name in common if name not in prose] or common
    numbers = [name for name in kept if _share(_numeric(one) for one in values[name]) >= _MOSTLY]
    if len(kept) == 1 and prose and numbers:
        return Spec("number", {"field": kept[0]})
    options: dict[str, Any] = {}
    if prose and kept != common:
        options["fields"] = kept
    if numbers:
        options["numbers"] = numbers
    if dates := [name for name in kept if name not in numbers and _share(map(_dated, values[name])) >= _MOSTLY]:
        options["dates"] = dates
    found = schemas[0] if schemas else None
    if found and all(one == found for one in schemas):
        options["schema"] = found
    return Spec("json_fields", options)


def _prose(values: Sequence[Any]) -> bool:
    lengths = sorted(len(one) for one in values if isinstance(one, str))
    return len(lengths) >= 0.5 * len(values) and lengths[len(lengths) // 2] > _LONG_FIELD


def _numeric(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and number_of(value) is not None)


def _dated(value: Any) -> bool:
    return isinstance(value, str) and day_of(value) is not None


def _share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return sum(found) / len(found) if found else 0.0
