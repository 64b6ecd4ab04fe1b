"""What the guard says of whole texts: a message's pieces on their way in, or a whole answer on its way out.

On the way in each piece is judged as it stands and as it reads once codes and disguises are undone; what the user
wrote in several turns is judged once more as one text, which can raise the label or block but never alter a piece.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Sequence

import msgspec

from freehold.core.label import UNKNOWN, Label
from freehold.guard.apply import ALTERING, Vault, mark
from freehold.guard.codes import CODES
from freehold.guard.normalise import View, views
from freehold.guard.profile import Guard
from freehold.guard.scanner import Part, Scanner, never, readable
from freehold.guard.types import Detector, Direction, Finding, Piece, Rule, Source
from freehold.guard.windows import placed

_JOINED = 20_000
"""Characters of the user's turns, the latest, that are judged as one text."""
_MOST = 1_000_000
"""Characters of a piece that are looked at: no detector is broken off, and where a text is full of codes each
character costs some microseconds. A longer piece counts as one they failed on.
"""
_QUOTES = frozenset("'\"")
_DIGITS = re.compile(r"\d\D?\d")
"""What each turn holds of a number that goes over several."""
_SURE = 0.8
"""Least score of what is found where nobody wrote it so."""
_READ = frozenset({"folded", "smuggled", "spaced", *(one.name for one in CODES)})
"""Readings that are no guess."""


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
    clean: Container[int] = (),
) -> Seen:
    """Judge whole texts. `late` is asked between detectors and pieces; past it detectors count as failed.

    Pieces whose index is in `clean` were judged before, by this very guard, and held nothing: they are not judged
    alone again.
    """
    scanners: list[Scanner] = []
    parts: list[list[Part]] = []
    for at, piece in enumerate(pieces):
        scanner = Scanner(guard, piece.source, direction=direction, late=late)
        scanners.append(scanner)
        if len(piece.text) > _MOST and guard.watching(direction, piece.source):
            scanner.fail("length")
            parts.append([Part(piece.text)])
            continue
        if at in clean:
            parts.append([Part(piece.text)])
            continue
        hidden = _hidden(guard, piece, scanner, late) if direction == "in" else ()
        parts.append(scanner.parts(piece.text, hidden))
    turns = _over_turns(guard, pieces, late) if direction == "in" else []
    found = [(at, one) for at, scanner in enumerate(scanners) for one in scanner.findings]
    known = {(one.detector, one.kind) for _, one in found}
    found += [(last.about, one) for last in turns for one in last.findings if (one.detector, one.kind) not in known]
    every = [*scanners, *turns]
    return Seen(
        findings=tuple(found),
        label=_joined([one.label for one in every]),
        blocked=next((one.blocked for one in every if one.blocked), ""),
        ask=any(one.ask for one in every),
        scanned=sum(one.scanned for one in scanners),
        failed=tuple(dict.fromkeys(name for one in every for name in one.failed)),
        texts=_texts(parts, vault),
    )


def _joined(labels: Sequence[Label | None]) -> Label | None:
    known = [one for one in labels if one is not None]
    if not known:
        return None
    joined = known[0]
    for one in known[1:]:
        joined = joined.join(one)
    return joined


def _texts(parts: Sequence[Sequence[Part]], vault: Vault | None) -> tuple[str, ...]:
    """The pieces' texts; stand-ins are drawn for all pieces at once, so that the answer leads back to one value."""
    texts: list[str] = []
    spans: list[list[tuple[int, int, str]]] = []
    for each in parts:
        text, places = "", []
        for one in each:
            if one.kind and vault is not None:
                places.append((len(text), len(text) + len(one.text), one.kind))
                text += one.text
            else:
                text += mark(one.kind) if one.kind else one.text
        texts.append(text)
        spans.append(places)
    return tuple(texts) if vault is None or not any(spans) else vault.replaced(texts, spans)


def _places(guard: Guard, source: Source) -> list[Detector]:
    return [one for one in guard.watching("in", source) if one.span > 0]


def _hidden(guard: Guard, piece: Piece, scanner: Scanner, late: Callable[[], bool]) -> Iterator[Finding]:
    """What detectors of places are sure of in readings of the text, at the stretch that holds it.

    Detectors of wholes look at readings themselves. Guesses (a text backwards, letters moved) are left to them: what
    they turn up by chance would cover the whole text.
    """
    detectors = _places(guard, piece.source)
    if not detectors:
        return
    if late():
        scanner.fail("readings")
        return
    try:
        readings = [one for one in views(readable(piece.text)) if _READ.issuperset(one.how)]
    except Exception:  # noqa: BLE001 - whatever goes wrong in reading, the guard fails closed
        scanner.fail("readings")
        return
    for view in readings:
        for detector in detectors:
            for start, end in _changed(view, detector.span + detector.context):
                for one in scanner.find(detector, Piece(view.text[start:end], piece.source)):
                    if one.score >= _SURE:
                        yield placed(one, *view.place(one.start + start, one.end + start))


def _changed(view: View, around: int) -> list[tuple[int, int]]:
    """Stretches of a reading that may tell what the text does not: those around its changes, or all of it."""
    if not view.edits:
        return [(0, len(view.text))]
    found: list[tuple[int, int]] = []
    for edit in view.edits:
        if edit.end > edit.start and set(view.text[edit.start : edit.end]) <= _QUOTES:
            continue  # a straight quote for a curly one
        start, end = max(0, edit.start - around), edit.end + around
        if found and start <= found[-1][1]:
            start = found.pop()[0]
        found.append((start, end))
    return found


class _Turns(Scanner):
    """The user's turns as one text: nothing is released, and what cannot be redacted makes the label unknown."""

    def note(self, found: Finding, rule: Rule) -> None:
        """As of one text; but nothing can be put in the place of what no piece holds whole."""
        super().note(found, rule)
        if rule.action == "block":
            self.blocked = self.blocked or found.kind
        elif rule.action in ALTERING:
            self.label = UNKNOWN

    about = 0
    """The piece that findings are told of."""

    def across(self, pieces: Sequence[Piece], turns: Sequence[int], glue: str) -> None:
        """Note what touches several turns, of the latest characters."""
        text, ends = "", []
        for index in turns:
            text += pieces[index].text.strip() + glue
            ends.append(len(text))
        self.about = turns[-1]
        cut = max(0, len(text) - _JOINED)
        joined = Piece(readable(text[cut:]), "user")
        for detector in _places(self.guard, "user"):
            for one in self.find(detector, joined):
                rule = self.guard.rule(one, "in", "user")
                end = bisect_left(ends, one.end + cut)
                start = ends[end - 1] if end else 0
                parts = text[one.start + cut : start], text[start : one.end + cut]
                if rule is not None and one.score >= _SURE and all(_DIGITS.search(each) for each in parts):
                    self.note(placed(one, 0, len(pieces[self.about].text)), rule)


def _over_turns(guard: Guard, pieces: Sequence[Piece], late: Callable[[], bool]) -> list[_Turns]:
    """What only shows in the user's turns together: a number of which each turn holds a part."""
    turns = [index for index, one in enumerate(pieces) if one.source == "user" and one.text.strip()]
    if len(turns) < 2 or not _places(guard, "user"):
        return []
    found = []
    for glue in ("", " "):
        scanner = _Turns(guard, "user", direction="in", late=late)
        scanner.across(pieces, turns, glue)
        found.append(scanner)
    return found
