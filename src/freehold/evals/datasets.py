"""Datasets: the recorded calls of a workflow as examples, split by time so that nothing of the test is known before.

Invariant: every test example is later than every training one, and no near-duplicate stands on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.canonical import exact
from freehold.core.crypto import sha256, write_private
from freehold.core.errors import FileRefused
from freehold.evals.duplicates import groups
from freehold.evals.errors import NothingToEvaluate
from freehold.grading.types import Answer
from freehold.workflows.exchange import exchange
from freehold.workflows.records import Record

ANNOTATION = "annotation"
"""The source of a gold answer that a person gave."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded call to learn from, or to be measured on."""

    id: bytes
    """Of its record."""
    at: float
    request: bytes
    """JSON of an OpenAI chat request."""
    incumbent: Answer
    """What was answered then."""
    gold: Answer | None = None
    """The right answer, where somebody said so."""
    gold_source: str = ""
    """`annotation`, or empty."""
    label: str = "unknown"
    """Sensitivity."""
    vendor: str = ""
    model: str = ""
    """That answered then."""
    target: str = ""
    """Of a live call."""
    consent: bool | None = None
    app: str = ""
    conversation: str = ""
    workflow: str = ""
    latency: float | None = None
    owned: bool = False

    @property
    def reference(self) -> Answer:
        """What an answer is graded against: the right answer, else the recorded one."""
        return self.incumbent if self.gold is None else self.gold


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The two sides, each in order of time, and what was left out to keep them apart."""

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    at: float
    """Unix seconds: what is earlier trains."""
    dropped: int
    """Test calls that are near-duplicates of earlier ones, or of a conversation that began earlier."""


def examples(records: Iterable[Record], gold: Callable[[bytes], Answer | None] | None = None) -> Iterator[Example]:
    """The answered records as examples."""
    for record in records:
        if not record.answered:
            continue
        right = gold(record.id) if gold is not None else None
        yield Example(
            id=record.id,
            at=record.at,
            request=record.request,
            incumbent=exchange(record).answer,
            gold=right,
            gold_source=ANNOTATION if right is not None else "",
            label=record.label,
            vendor=record.vendor,
            model=record.model,
            target=record.target,
            consent=record.consent,
            app=record.app,
            conversation=record.conversation,
            workflow=record.assigned,
            latency=record.latency,
            owned=record.owned,
        )


def split(found: Sequence[Example], at: float | None = None, share: float = 0.5) -> Split:
    """Before and after `at` (Unix seconds; else when the first `share` of the calls was made).

    A group of near-duplicates, or a conversation, that began before `at` stays there: its later calls are dropped from
    the test. Raises NothingToEvaluate where there are no examples.
    """
    if not found:
        raise NothingToEvaluate("no recorded call has an answer")
    ordered = sorted(found, key=lambda one: (one.at, one.id))
    if at is None:
        at = ordered[min(len(ordered) - 1, int(len(ordered) * share))].at
    alike = groups([said(one) for one in ordered])
    train, test, dropped = [], [], 0
    known: set[int] = set()
    begun: set[str] = set()
    for example, group in zip(ordered, alike, strict=True):
        if example.at < at:
            known.add(group)
            begun.add(example.conversation)
            train.append(example)
        elif group in known or (example.conversation and example.conversation in begun):
            dropped += 1
        else:
            test.append(example)
    return Split(train=tuple(train), test=tuple(test), at=at, dropped=dropped)


def said(example: Example) -> str:
    """What the caller said: the words that make one call differ from the next of its workflow."""
    record = Record(id=example.id, at=example.at, source="", model="", request=example.request)
    found = exchange(record)
    return "\n".join(text for role, text in found.turns if role != "assistant")


def write(found: Sequence[Example], path: Path) -> str:
    """Write a dataset, one canonical JSON object a line, for its owner's eyes; the SHA-256 of the file in hex.

    Raises FileRefused.
    """
    data = b"".join(exact(_plain(one)) + b"\n" for one in found)
    try:
        write_private(path, data)
    except OSError as error:
        raise FileRefused.of(error) from error
    return sha256(data).hex()


def digest(found: Sequence[Example]) -> str:
    """What `write` would say, without writing."""
    return sha256(b"".join(exact(_plain(one)) + b"\n" for one in found)).hex()


def read(path: Path) -> list[Example]:
    """A dataset that `write` wrote. Raises FileRefused."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise FileRefused.of(error) from error
    return [_example(msgspec.json.decode(one)) for one in lines if one]


def _plain(example: Example) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(example)
    return {**found, "id": example.id.hex(), "request": example.request.decode("utf-8", "replace")}


def _example(found: dict[str, Any]) -> Example:
    raw = {**found, "id": b"", "request": b""}
    made = msgspec.convert(raw, Example)
    return msgspec.structs.replace(made, id=bytes.fromhex(found["id"]), request=found["request"].encode())
