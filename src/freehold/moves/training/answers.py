"""Finds what varies in a workflow's answers: labels to predict, in the fixed text around them.

Whole answers are the labels where few exist; else the varying leaves of one JSON form are, each a label of its own.
Answers that are no choice out of a small set are refused: a classifier must not pretend to write.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from freehold.grading.types import Answer
from freehold.moves.training.errors import NothingToLearn
from freehold.serving.answer_shape import CallShape, Part, Shape

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_MOST = 1000
"""Most values of one head."""
_COVERED = 0.9
"""Least share of answers that must fit what was found."""


class Learned(msgspec.Struct, frozen=True):
    """`labels[i]` are the indices, one a head, that render example i's answer; None where it does not fit."""

    heads: tuple[tuple[str, ...], ...]
    shapes: tuple[Shape, ...]
    labels: tuple[tuple[int, ...] | None, ...]


class _Form(msgspec.Struct, frozen=True):
    """An answer cut into what stays (with the kind of place it stands in) and its leaves."""

    text: tuple[str, ...]
    calls: tuple[tuple[str, tuple[str, ...]], ...]


def learn(answers: Sequence[Answer], least: int = 2, joint: bool | None = None) -> Learned:
    """Find heads and shapes; values that occur fewer than `least` times are left out.

    `joint` True takes whole answers as labels, False one head a leaf, None decides. Raises NothingToLearn.
    """
    whole = _whole(answers, least)
    parts = None if joint is True else _leaves(answers, least)
    count = len(whole.heads[0])
    few = parts is None or len(parts.heads) == 1 or count <= 2 * max(len(one) for one in parts.heads)
    if joint is not True and parts is not None and not (few and _covers(whole)):
        return parts
    if _covers(whole) and count <= _MOST:
        return whole
    if parts is not None:
        return parts
    fitting = sum(one is not None for one in whole.labels)
    raise NothingToLearn(
        f"only {fitting} of {len(answers)} answers are among the {count} that occur {least} times or more"
    )


def _covers(learned: Learned) -> bool:
    return sum(one is not None for one in learned.labels) >= _COVERED * max(1, len(learned.labels))


def _whole(answers: Sequence[Answer], least: int) -> Learned:
    """Each distinct answer a label; of spellings that differ in case, space or final stop the commonest stands."""
    groups: dict[str, Counter[str]] = {}
    forms: dict[str, Answer] = {}
    exact: list[tuple[str, str]] = []
    for one in answers:
        text = one.text
        raw = msgspec.json.encode((text, one.tool_calls)).decode()
        loose = text.strip().rstrip(".").casefold() if not one.tool_calls else raw
        groups.setdefault(loose, Counter())[raw] += 1
        forms.setdefault(raw, one)
        exact.append((loose, raw))
    kept = sorted(loose for loose, found in groups.items() if found.total() >= least)
    index = {loose: i for i, loose in enumerate(kept)}
    chosen = [forms[min(groups[loose].items(), key=lambda one: (-one[1], one[0]))[0]] for loose in kept]
    names = [_name(one) for one in chosen]
    labels = tuple((index[loose],) if loose in index else None for loose, _ in exact)
    if all(not one.tool_calls for one in chosen):
        texts = tuple(one.text for one in chosen)
        return Learned((texts,), (Shape(text=(0,)),) if texts else (), labels)
    return Learned((tuple(names),), tuple(_constant(one) for one in chosen), labels)


def _constant(answer: Answer) -> Shape:
    calls = tuple(CallShape((call.name,), (call.arguments,)) for call in answer.tool_calls)
    return Shape(text=(answer.text,) if answer.text else (), calls=calls)


def _name(answer: Answer) -> str:
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return " ".join([*([answer.text] if answer.text else []), *calls])


def _leaves(answers: Sequence[Answer], least: int) -> Learned | None:
    """One head for each leaf that varies within the commonest form; None where that form is rare or not JSON."""
    cut = [_cut(one) for one in answers]
    forms = Counter(one[0] for one in cut if one is not None)
    if not forms:
        return None
    form, _ = min(forms.items(), key=lambda one: (-one[1], repr(one[0])))
    rows = [one[1] if one is not None and one[0] == form else None for one in cut]
    fitting = [row for row in rows if row is not None]
    width = len(fitting[0])
    values = [Counter(row[i] for row in fitting) for i in range(width)]
    heads: list[tuple[str, ...]] = []
    slot: dict[int, int] = {}
    fixed: dict[int, str] = {}
    for i, found in enumerate(values):
        kept = tuple(sorted(value for value, count in found.items() if count >= least))
        if len(kept) == 1 and len(found) == 1:
            fixed[i] = kept[0]
        else:
            slot[i] = len(heads)
            heads.append(kept)
    index = [{value: at for at, value in enumerate(head)} for head in heads]
    labels = tuple(None if row is None else _indices(row, slot, index) for row in rows)
    learned = Learned(tuple(heads), (_shape(form, slot, fixed),), labels)
    sound = heads and all(0 < len(head) <= _MOST for head in heads) and _covers(learned)
    return learned if sound else None


def _indices(row: tuple[str, ...], slot: dict[int, int], index: list[dict[str, int]]) -> tuple[int, ...] | None:
    found = [index[head].get(row[i]) for i, head in slot.items()]
    return None if None in found else tuple(one for one in found if one is not None)


def _cut(answer: Answer) -> tuple[_Form, tuple[str, ...]] | None:
    """Form and leaves of an answer whose text, if any, and arguments are JSON."""
    texts = [answer.text] if answer.text or not answer.tool_calls else []
    pieces = [_cut_json(one) for one in [*texts, *(call.arguments for call in answer.tool_calls)]]
    if any(one is None for one in pieces):
        return None
    done = [one for one in pieces if one is not None]
    leaves = tuple(leaf for _, found in done for leaf in found)
    skeletons = [skeleton for skeleton, _ in done]
    text = skeletons[0] if texts else ()
    arguments = skeletons[len(texts) :]
    calls = tuple((call.name, one) for call, one in zip(answer.tool_calls, arguments, strict=True))
    return _Form(text, calls), leaves


def _cut_json(text: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The text between a JSON object's leaves, and the leaves, both raw. None for what is no object or array."""
    try:
        if not isinstance(json.loads(text), dict | list):
            return None
    except (ValueError, RecursionError):
        return None
    between: list[str] = []
    leaves: list[str] = []
    last = 0
    tokens = list(_TOKEN.finditer(text))
    for i, token in enumerate(tokens):
        is_key = i + 1 < len(tokens) and tokens[i + 1][0] == ":"
        if token[0] in "[]{}:," or is_key:
            continue
        between.append(text[last : token.start()])
        leaves.append(token[0])
        last = token.end()
    between.append(text[last:])
    return tuple(between), tuple(leaves)


def _shape(form: _Form, slot: dict[int, int], fixed: dict[int, str]) -> Shape:
    counter = iter(range(len(slot) + len(fixed)))

    def parts(between: tuple[str, ...]) -> tuple[Part, ...]:
        made: list[Part] = [between[0]] if between else []
        for after in between[1:]:
            i = next(counter)
            made += [slot[i] if i in slot else fixed[i], after]
        return _merged(made)

    text = parts(form.text)
    return Shape(text=text, calls=tuple(CallShape((name,), parts(between)) for name, between in form.calls))


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    made: list[Part] = []
    for part in parts:
        if part == "":
            continue
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return tuple(made)
