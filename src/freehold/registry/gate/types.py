"""What the gate says about an artefact, and what a format's checker is given to look at.

Invariant: what is not understood completely is never `allow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import msgspec

Verdict = Literal["allow", "review", "block"]
"""`review` needs a person's signed word for these very bytes; `block` takes none."""

VERDICTS: tuple[Verdict, ...] = ("allow", "review", "block")
"""From the mildest to the hardest: the hardest of an artefact's reasons is its verdict."""


class Reason(msgspec.Struct, frozen=True):
    """Why a file is not simply allowed."""

    verdict: Verdict
    code: str
    """Stable, dotted: `pickle.global`, `zip.directory`, `template.attribute`; documented in the reference."""
    where: str
    """The file in the artefact, and the member in it: `model.pt!archive/data.pkl`."""
    said: str
    """In words; quotes of hostile content are bounded and escaped."""


class Checked(msgspec.Struct, frozen=True):
    """One file of an artefact as the gate saw it."""

    name: str
    sha256: str
    size: int
    format: str
    """By content, not by name: `safetensors`, `gguf`, `torch`, `pickle`, `json`, `text`, `unknown`, ..."""
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What the gate found in a whole artefact."""

    verdict: Verdict
    files: tuple[Checked, ...]
    rules: str
    """Digest of the lists the gate went by: the same rules and bytes give the same report."""
    reasons: tuple[Reason, ...] = ()
    """Of the artefact as a whole: links, names, too much of anything."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What looking at one artefact may cost; more is blocked, not skipped."""

    seconds: float = 30.0
    memory_bytes: int = 512 << 20
    unpacked_bytes: int = 1 << 30
    """Of all members that had to be unpacked."""
    members: int = 100_000
    depth: int = 4
    """Archives within archives."""


class Source(msgspec.Struct, frozen=True):
    """Bytes to look at: a file mapped into memory, or a member unpacked within the limits."""

    name: str
    """As `Reason.where` has it."""
    data: memoryview


class Walk(Protocol):
    """One look at one artefact: its limits, and the way into members."""

    def inside(self, source: Source) -> Iterator[Reason]:
        """Look at a member by its content, whatever its name says."""
        ...

    def spend(self, unpacked: int) -> None:
        """Count bytes about to be unpacked. Raises what ends the look with `block` where they are too many."""
        ...


class Format(msgspec.Struct, frozen=True):
    """One kind of file: how it is known by its content, and how it is looked at."""

    name: str
    known: Callable[[Source], bool]
    look: Callable[[Source, Walk], Iterator[Reason]]
    """Yields nothing for a file that is understood completely and harmless."""


def hardest(reasons: Iterator[Reason] | tuple[Reason, ...]) -> Verdict:
    """The verdict these reasons lead to; `allow` where there are none."""
    return max((one.verdict for one in reasons), key=VERDICTS.index, default="allow")
