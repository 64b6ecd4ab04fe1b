"""Annotations: what people said about recorded calls. Read from lines, kept once, their content sealed with the call's.

Invariant: the same judgement imported twice is one; a call that was erased loses the content of its judgements too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeGuard

import msgspec
from sqlalchemy import Engine

from freehold.core.canonical import exact
from freehold.core.crypto import sha256
from freehold.core.db import reading, writing
from freehold.core.ids import as_text
from freehold.evals import store
from freehold.evals.contents import Content, Contents
from freehold.evals.errors import BadAnnotation
from freehold.evals.types import Annotation
from freehold.grading.types import Answer, ToolCall

MOST_LINES = 100_000
"""Lines of one import."""
_MOST_SHOWN = 20


class Rejected(msgspec.Struct, frozen=True):
    """A line that was not taken, and why."""

    line: int
    why: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. `rejected` holds the first lines that were not taken."""

    read: int
    new: int
    known: int
    refused: int
    rejected: tuple[Rejected, ...]


class Annotations:
    """People's judgements of one instance."""

    def __init__(self, engine: Engine, contents: Contents) -> None:
        self._engine = engine
        self._contents = contents

    def add(self, lines: Iterable[bytes], who: str, now: float) -> Imported:
        """Judgements as JSON lines; a line may name its own `who` and `at`. Bad lines are told and left out."""
        read, rejected = 0, list[Rejected]()
        wanted: list[tuple[int, dict[str, Any]]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            read += 1
            try:
                wanted.append((number, _object(line)))
            except BadAnnotation as error:
                rejected.append(Rejected(number, error.message))
            if read >= MOST_LINES:
                break
        with reading(self._engine) as connection:
            known = store.known_records(connection, [one["record"] for _, one in wanted])
        found: list[Annotation] = []
        for number, one in wanted:
            record = known.get(one["record"])
            if record is None:
                rejected.append(Rejected(number, f"there is no record {one['record'][:60]}"))
                continue
            try:
                found.append(_annotation(record, one, who, now))
            except BadAnnotation as error:
                rejected.append(Rejected(number, error.message))
        new = self._keep(found, now)
        rejected.sort(key=lambda one: one.line)
        return Imported(
            read=read, new=new, known=len(found) - new, refused=len(rejected), rejected=tuple(rejected[:_MOST_SHOWN])
        )

    def of(self, workflow: str = "", kind: str = "", record: bytes = b"", limit: int | None = None) -> list[Annotation]:
        """Judgements with their content, oldest first; those whose content was erased have none."""
        with reading(self._engine) as connection:
            found = store.list_annotations(connection, workflow, kind, record, limit)
        return self.opened(found)

    def opened(self, found: Sequence[Annotation]) -> list[Annotation]:
        """The same judgements with their content, where it is still kept."""
        contents = self._contents.load([(one.record, _side(one.id)) for one in found if one.kind == "answer"])
        return [_whole(one, contents) for one in found]

    def gold(self, workflow: str = "") -> Callable[[bytes], Answer | None]:
        """What people said is right, by record: the latest word counts. Read once, so a rule sees one state."""
        right = {one.record: one.answer for one in self.of(workflow, "answer") if one.answer is not None}
        return right.get

    def lines(self, workflow: str = "") -> Iterator[bytes]:
        """Judgements as they can be imported again, one JSON object a line."""
        for one in self.of(workflow):
            yield exact(plain(one)) + b"\n"

    def _keep(self, found: Sequence[Annotation], now: float) -> int:
        said = [(one.record, _side(one.id), Content(one.answer)) for one in found if one.answer is not None]
        self._contents.keep(said, now)
        with writing(self._engine) as connection:
            return store.add_annotations(connection, found)


def _whole(one: Annotation, contents: dict[tuple[bytes, str], Content]) -> Annotation:
    content = contents.get((one.record, _side(one.id)))
    return one if content is None else msgspec.structs.replace(one, answer=content.answer)


def plain(one: Annotation) -> dict[str, Any]:
    """A judgement as JSON values."""
    found: dict[str, Any] = {"record": as_text("rec", one.record), "who": one.who, "at": one.at}
    if one.kind == "answer":
        found["answer"] = None if one.answer is None else _said(one.answer)
    else:
        found |= {"score": one.score, "target": one.target}
    return found | ({"note": one.note} if one.note else {})


def _said(answer: Answer) -> Any:
    if not answer.tool_calls:
        return answer.text
    calls = [{"name": one.name, "arguments": one.arguments} for one in answer.tool_calls]
    return {"text": answer.text, "tool_calls": calls}


def _side(annotation: bytes) -> str:
    return f"annotation:{annotation.hex()}"


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        raise BadAnnotation("not a JSON object") from None
    if not isinstance(found, dict) or not isinstance(found.get("record"), str):
        raise BadAnnotation("no JSON object with a `record`")
    return found


def _annotation(record: bytes, one: dict[str, Any], who: str, now: float) -> Annotation:
    by, at, note = one.get("who", who), one.get("at", now), one.get("note", "")
    if not isinstance(by, str) or not by or not isinstance(note, str) or not _number(at):
        raise BadAnnotation("`who` and `note` are text, `at` is Unix seconds")
    if ("answer" in one) == ("score" in one):
        raise BadAnnotation("either `answer` or `score` is needed")
    target, score = one.get("target", ""), one.get("score")
    if not isinstance(target, str):
        raise BadAnnotation("`target` is text")
    said = [record.hex(), by, target, one.get("answer"), float(score) if _number(score) else None]
    number = sha256(exact(said))[:16]
    shared: dict[str, Any] = {"id": number, "record": record, "who": by, "at": float(at), "note": note}
    if "score" in one:
        if not _number(score) or not 0 <= score <= 1:
            raise BadAnnotation("`score` is a number between 0 and 1")
        return Annotation(kind="score", score=float(score), target=target, **shared)
    return Annotation(kind="answer", answer=_answer(one["answer"]), **shared)


def _answer(value: Any) -> Answer:
    if isinstance(value, str) and value.strip():
        return Answer(text=value)
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        calls = []
        for one in value["tool_calls"]:
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                raise BadAnnotation("each of `tool_calls` has a `name` and `arguments`")
            arguments = one.get("arguments", {})
            written = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
            calls.append(ToolCall(one["name"], written))
        return Answer(text=str(value.get("text") or ""), tool_calls=tuple(calls))
    if isinstance(value, dict | list):
        return Answer(text=msgspec.json.encode(value).decode())
    raise BadAnnotation("`answer` is text, a JSON object, or an object with `tool_calls`")


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
