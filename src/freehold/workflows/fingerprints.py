"""What mining keeps of a record's texts: hashes, names, and the shape of the answer. Pure: any process may do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from freehold.gateway.prompt import prompt_of
from freehold.gateway.shingles import Shingler, Shingles
from freehold.jobs.pool import Pool, Tick, quiet
from freehold.workflows.shapes import NONE, SHORT, Said, said_of

CHUNK = 400
"""Records at a time: some forty milliseconds of work, and about a megabyte."""
Texts = tuple[bytes, bytes]
"""Request and response."""


class Written(Protocol):
    """What is read of a record."""

    @property
    def request(self) -> bytes: ...  # noqa: D102
    @property
    def response(self) -> bytes: ...  # noqa: D102


W = TypeVar("W", bound=Written)


class Fingerprint(msgspec.Struct, frozen=True):
    """One record without its texts."""

    grams: Shingles
    opening: int
    """Hash of how its conversation begins; 0 where there is one turn."""
    tools: tuple[str, ...]
    keys: tuple[str, ...]
    kind: str
    """Of the answer, as `shapes` names it."""
    names: tuple[str, ...]
    label: str
    """A short answer as a name that can be counted; no tool's name looks like it."""
    asked: int
    """Hash of the prompt: equal ones were asked the same."""
    answered: int
    """Hash of the answer, 0 where there is none."""


def fingerprints(chunk: tuple[Texts, ...]) -> list[Fingerprint]:
    """Of some records, in order."""
    shingler = Shingler()
    return [_fingerprint(*one, shingler) for one in chunk]


def fingerprinted(found: Iterable[W], pool: Pool, tick: Tick = quiet) -> Iterator[tuple[W, Fingerprint]]:
    """Each record with its own, in order; a few chunks of records are in memory meanwhile."""
    ahead: list[tuple[W, ...]] = []

    def chunks() -> Iterator[tuple[Texts, ...]]:
        rest = iter(found)
        while some := tuple(islice(rest, CHUNK)):
            ahead.append(some)
            yield tuple((one.request, one.response) for one in some)

    for made in pool.map(fingerprints, chunks(), tick):
        yield from zip(ahead.pop(0), made, strict=True)


def _fingerprint(request: bytes, response: bytes, shingler: Shingler) -> Fingerprint:
    prompt, said = prompt_of(request), said_of(response)
    return Fingerprint(
        grams=shingler.of(prompt.system, prompt.first, prompt.last),
        opening=_mark(prompt.system, prompt.first) or 1 if prompt.turns else 0,
        tools=prompt.tools,
        keys=prompt.keys,
        kind=said.kind,
        names=said.names,
        label=_label(said),
        asked=_mark(prompt.system, prompt.first, prompt.last),
        answered=_mark(*said.names, " ".join(said.text.lower().split())) if said.kind != NONE else 0,
    )


def _label(said: Said) -> str:
    return f"= {said.text.lower().rstrip('.')}" if said.kind == SHORT else ""


def _mark(*texts: str) -> int:
    content = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
