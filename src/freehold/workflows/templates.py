"""Mining of templates: which word 5-grams are frequent, and which of them each request holds.

Two passes over the records. Memory: a fixed sketch of counts, the distinct sets of frequent grams (cut at
`MOST_GRAMS` a role), and some 70 bytes a request; never the texts.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.gateway.shingles import Hashes, Shingles
from freehold.jobs.pool import InProcess, Pool
from freehold.workflows.fingerprints import Fingerprint, fingerprinted
from freehold.workflows.shapes import SHORT, TOOL

Beat = Callable[[str, int], None]
"""Told what is being done and how many records of it are done."""

LEAST_REQUESTS = 15
LEAST_SHARE = 0.002
MOST_NEEDED = 300
"""A gram is a template's where that many requests hold it: one in 500 of them, from 15 to 300."""
MOST_GRAMS = 96
"""Frequent grams kept of one role of one request: those of the smallest hashes, a fair sample of a longer template."""
_SLOTS = 1 << 22
_MOST_CONVERSATIONS = 500_000
_MOST_NAMES = 20_000
_MOST_LOOKS = 20_000
_EVERY = 4096


class Recorded(Protocol):
    """What mining reads of a record."""

    @property
    def id(self) -> bytes: ...  # noqa: D102
    @property
    def at(self) -> float: ...  # noqa: D102
    @property
    def workflow(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def assigned(self) -> str: ...  # noqa: D102
    @property
    def request(self) -> bytes: ...  # noqa: D102
    @property
    def response(self) -> bytes: ...  # noqa: D102


class Source(Protocol):
    """Where records come from; it can be read more than once and does not change meanwhile."""

    def records(self) -> Iterator[Recorded]:
        """Every record, in any order, but the same each time."""

    def some(self, ids: Iterable[bytes]) -> Iterator[Recorded]:
        """The records of these ids that are there, in any order."""


class Look(msgspec.Struct, frozen=True, order=True):
    """The shape of one call, but for its template: what was asked for, and what kind of thing came back."""

    tools: tuple[str, ...]
    """Names that many requests offer; `*` where there are tools, but none of those."""
    keys: tuple[str, ...]
    kind: str
    names: tuple[str, ...]


class Mined(msgspec.Struct, frozen=True, kw_only=True):
    """What two passes found. The arrays are parallel: one item a record."""

    needed: int
    signatures: tuple[Hashes, ...]
    """Distinct sets of frequent grams."""
    looks: tuple[Look, ...]
    names: tuple[str, ...]
    ids: bytes
    """16 bytes a record."""
    at: npt.NDArray[np.float64]
    signature: npt.NDArray[np.int32]
    look: npt.NDArray[np.int32]
    named: npt.NDArray[np.int32]
    """Place in `names` of the workflow that the caller named."""
    before: npt.NDArray[np.int32]
    """Place in `names` of the workflow it was assigned to before."""
    asked: npt.NDArray[np.uint64]
    """Hash of the prompt: equal ones were asked the same."""
    answered: npt.NDArray[np.uint64]
    """Hash of the answer, 0 where there is none."""
    failed: npt.NDArray[np.bool_]

    def id(self, record: int) -> bytes:
        """Id of the record at a place."""
        return self.ids[record * 16 : record * 16 + 16]


class Sketch:
    """Counts of grams in fixed memory, never too low (count-min, Cormode and Muthukrishnan 2005), two rows."""

    def __init__(self) -> None:
        self._rows = np.zeros((2, _SLOTS), np.uint32)

    def add(self, grams: Hashes) -> None:
        """Count one request's distinct grams."""
        self._rows[0][self._first(grams)] += 1
        self._rows[1][self._second(grams)] += 1

    def frequent(self, grams: Hashes, needed: int) -> Hashes:
        """Those counted at least `needed` times."""
        first = self._rows[0][self._first(grams)] >= needed
        found: Hashes = grams[first & (self._rows[1][self._second(grams)] >= needed)]
        return found

    @staticmethod
    def _first(grams: Hashes) -> Hashes:
        return (grams >> np.uint64(1)) & np.uint64(_SLOTS - 1)

    @staticmethod
    def _second(grams: Hashes) -> Hashes:
        return (grams >> np.uint64(40)) & np.uint64(_SLOTS - 1)


def mine(source: Source, beat: Beat = lambda _what, _done: None, pool: Pool | None = None) -> Mined:
    """Both passes; the texts are read by `pool`, here where there is none."""
    pool = pool or InProcess()
    sketch, counted, count = _count(source, pool, beat)
    needed = int(min(max(LEAST_REQUESTS, LEAST_SHARE * count), MOST_NEEDED))
    common = {name for name, times in counted.items() if times >= needed}
    signatures: dict[bytes, int] = {}
    looks: dict[Look, int] = {}
    names: dict[str, int] = {}
    columns = (array("d"), array("i"), array("i"), array("i"), array("i"), array("Q"), array("Q"), array("b"))
    ids = bytearray()
    for done, (record, one) in enumerate(fingerprinted(source.records(), pool)):
        signature = signature_of(one.grams, sketch, needed)
        look = look_of(one, common)
        if len(looks) >= _MOST_LOOKS and look not in looks:
            look = Look(look.tools[:1], look.keys[:1], look.kind, ())
        ids += record.id
        columns[0].append(record.at)
        columns[1].append(signatures.setdefault(signature.tobytes(), len(signatures)))
        columns[2].append(looks.setdefault(look, len(looks)))
        columns[3].append(names.setdefault(record.workflow, len(names)))
        columns[4].append(names.setdefault(record.assigned, len(names)))
        columns[5].append(one.asked)
        columns[6].append(one.answered)
        columns[7].append(record.status >= 400)
        if done % _EVERY == 0:
            beat("templates", done)
    return Mined(
        needed=needed,
        signatures=tuple(np.frombuffer(one, np.uint64) for one in signatures),
        looks=tuple(looks),
        names=tuple(names),
        ids=bytes(ids),
        at=np.array(columns[0], np.float64),
        signature=np.array(columns[1], np.int32),
        look=np.array(columns[2], np.int32),
        named=np.array(columns[3], np.int32),
        before=np.array(columns[4], np.int32),
        asked=np.array(columns[5], np.uint64),
        answered=np.array(columns[6], np.uint64),
        failed=np.array(columns[7], bool),
    )


def _count(source: Source, pool: Pool, beat: Beat) -> tuple[Sketch, Counter[str], int]:
    """How many requests hold each gram, offer each tool and get each short answer.

    Of a conversation only the first turn counts.
    """
    sketch, said, count = Sketch(), Counter[str](), 0
    begun: set[int] = set()
    for count, (_, one) in enumerate(fingerprinted(source.records(), pool), 1):
        if count % _EVERY == 0:
            beat("grams", count)
        if one.opening:
            if one.opening in begun:
                continue
            if len(begun) < _MOST_CONVERSATIONS:
                begun.add(one.opening)
        sketch.add(one.grams.system)
        sketch.add(one.grams.user)
        for name in (*one.tools, one.label):
            if name and (name in said or len(said) < _MOST_NAMES):
                said[name] += 1
    return sketch, said, count


def signature_of(grams: Shingles, sketch: Sketch, needed: int) -> Hashes:
    """The frequent grams of a prompt, at most `MOST_GRAMS` a role, sorted within the role, the system's first."""
    system = sketch.frequent(grams.system, needed)[:MOST_GRAMS]
    user = sketch.frequent(grams.user, needed)[:MOST_GRAMS]
    return np.concatenate([system, user])


def look_of(one: Fingerprint, common: set[str]) -> Look:
    """The shape of one call."""
    tools = tuple(name for name in one.tools if name in common) or (("*",) if one.tools else ())
    names = one.names
    if one.kind == TOOL:
        names = tuple(name for name in names if name in common)
    elif one.kind == SHORT:
        names = (one.label,) if one.label in common else ()
    return Look(tools, one.keys, one.kind, names)
