"""What the guard says of whole texts: a message's pieces on their way in, or a whole answer on its way out.

Each piece is judged alone. What the user wrote in several turns is judged once more as one text: that can raise the
label or block, never alter a piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from freehold.core.label import Label
from freehold.guard.apply import Vault
from freehold.guard.profile import Guard
from freehold.guard.scanner import Scanner, never
from freehold.guard.types import Direction, Finding, Piece


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard says of some pieces."""

    findings: tuple[tuple[int, Finding], ...] = ()
    """Each with the index of its piece."""
    label: Label | None = None
    """What joins the call's label; None for nothing."""
    blocked: str = ""
    """Kind of the finding that blocks, or "" for none."""
    ask: bool = False
    """Must a person approve?"""
    scanned: int = 0
    """Characters looked at."""
    failed: tuple[str, ...] = ()
    """Detectors that raised or ran out of time."""
    texts: tuple[str, ...] = ()
    """The pieces as they may go on."""


def inspect(
    guard: Guard,
    pieces: Sequence[Piece],
    direction: Direction,
    vault: Vault | None = None,
    *,
    late: Callable[[], bool] = never,
) -> Seen:
    """Judge whole texts. `late` is asked between detectors and pieces; past it detectors count as failed."""
    findings: list[tuple[int, Finding]] = []
    texts: list[str] = []
    label: Label | None = None
    blocked, ask, scanned = "", False, 0
    failed: dict[str, None] = {}
    for index, piece in enumerate(pieces):
        scanner = Scanner(guard, piece.source, vault, direction=direction, late=late)
        text = scanner.whole(piece.text)
        findings += [(index, one) for one in scanner.findings]
        texts.append(text)
        if scanner.label is not None:
            label = scanner.label if label is None else label.join(scanner.label)
        blocked = blocked or scanner.blocked
        ask = ask or scanner.ask
        scanned += scanner.scanned
        failed |= dict.fromkeys(scanner.failed)
    return Seen(
        findings=tuple(findings),
        label=label,
        blocked=blocked,
        ask=ask,
        scanned=scanned,
        failed=tuple(failed),
        texts=tuple(texts),
    )
