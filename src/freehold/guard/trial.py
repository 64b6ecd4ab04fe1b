"""A profile tried on a text: what it finds, what each finding leads to, and the text as it would go on.

For people who look, not for calls: nothing is stored, nothing is turned back, and findings hold what they found.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from freehold.guard.inspect import inspect
from freehold.guard.profile import Guard
from freehold.guard.scanner import never
from freehold.guard.types import Action, Direction, Finding, Piece, Source
from freehold.guard.vault import Vault

_SCHEMA = "schema"
"""Who finds that an answer does not follow its caller's schema: where it is written down, the answer went on."""
SOURCES: tuple[Source, ...] = ("system", "user", "assistant", "tool", "document")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `start` and `end` are in characters of the text."""

    detector: str
    kind: str
    start: int
    end: int
    score: float
    action: Action
    """`pass` where no rule wants anything of it."""
    found: str


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile says of a text."""

    profile: str
    digest: str
    findings: tuple[Told, ...]
    label: str | None
    """What the call's label would rise to, at least."""
    blocked: str
    """Kind of the finding that blocks, or ""."""
    ask: bool
    """Would calls of tools wait for a person?"""
    failed: tuple[str, ...]
    text: str | None
    """As it would go on, with stand-ins of no vault; None where it would not."""


def tried(
    guard: Guard, text: str, direction: Direction, source: Source | None = None, late: Callable[[], bool] = never
) -> Trial:
    """Try a profile. Without `source` the user wrote what goes in, and the assistant what comes out."""
    piece = Piece(text, source or ("assistant" if direction == "out" else "user"))
    seen = inspect(guard, [piece], direction, Vault(b"freehold guard test", "test"), late=late)
    return Trial(
        profile=guard.profile.name,
        digest=guard.digest,
        findings=tuple(_told(guard, one, piece, direction) for _, one in seen.findings),
        label=str(seen.label) if seen.label else None,
        blocked=seen.blocked,
        ask=seen.ask,
        failed=seen.failed,
        text=None if seen.blocked else seen.texts[0],
    )


def leads_to(guard: Guard, detector: str, kind: str, direction: Direction) -> tuple[Action, ...]:
    """What a finding that was written down led to under these rules, by who wrote the text; sorted."""
    if detector == _SCHEMA:
        return ("flag",)
    sure = Finding(detector=detector, kind=kind, start=0, end=0)
    rules = (guard.rule(sure, direction, source) for source in SOURCES)
    return tuple(sorted({rule.action for rule in rules if rule is not None}))


def _told(guard: Guard, one: Finding, piece: Piece, direction: Direction) -> Told:
    rule = guard.rule(one, direction, piece.source)
    return Told(
        detector=one.detector,
        kind=one.kind,
        start=one.start,
        end=one.end,
        score=round(one.score, 3),
        action=rule.action if rule else "pass",
        found=piece.text[one.start : one.end],
    )
