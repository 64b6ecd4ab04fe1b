"""One text, as it arrives: what may be released, and what was found. The outcome does not depend on the splits.

A start is settled once no further text can change what begins there. Text is released up to the first start that is
not; among findings that alter the text the leftmost, then the longest, is replaced, and the rest of one that overlaps
it is replaced by itself. Detectors of wholes judge windows at fixed positions.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from freehold.core.label import UNKNOWN, Label
from freehold.guard.apply import ALTERING, Vault, mark, replacement
from freehold.guard.profile import Guard
from freehold.guard.types import Detector, Direction, Finding, Piece, Rule, Source

WINDOW = 512
"""Characters that a detector of wholes judges at once in a stream, behind as many of context."""

_LONE = re.compile("[\ud800-\udfff]")


def never() -> bool:
    """It is never too late."""
    return False


def readable(text: str) -> str:
    """The text as detectors see it, character for character: halves of surrogate pairs have no UTF-8 form."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


class Scanner:
    """Feeds one text through a guard. `late` says when detectors have had their time."""

    def __init__(
        self,
        guard: Guard,
        source: Source,
        vault: Vault | None = None,
        *,
        direction: Direction = "out",
        late: Callable[[], bool] = never,
    ) -> None:
        self.findings: list[Finding] = []
        """By start, positions in the whole text."""
        self.label: Label | None = None
        """What joins the call's label: rules that raise, and UNKNOWN where a detector failed."""
        self.scanned = 0
        self.released = 0
        """Characters given out so far, replacements included."""
        self.blocked = ""
        """Kind of the finding that blocks; after it nothing is released."""
        self.ask = False
        self.failed: tuple[str, ...] = ()
        self._guard = guard
        self._source: Source = source
        self._direction: Direction = direction
        self._vault = vault
        self._late = late
        watching = guard.watching(direction, source)
        self._places = [one for one in watching if one.span > 0]
        self._wholes = [one for one in watching if one.span == 0]
        self._context = max([one.context for one in self._places], default=0)
        self._text = ""
        self._base = 0  # position of the kept text's first character
        self._settled = 0  # every start before it has been decided
        self._given = 0  # everything before it was released, or replaced
        self._judged = 0  # everything before it was seen by the detectors of wholes

    def feed(self, text: str) -> str:
        """Take the next characters; returns what may be released now."""
        return self._take(text, ended=False)

    def end(self) -> str:
        """No more will come; returns the rest."""
        return self._take("", ended=True)

    def whole(self, text: str) -> str:
        """The outcome for a whole text: the same as of any stream of it."""
        return self._take(text, ended=True)

    def _take(self, text: str, *, ended: bool) -> str:
        if self.blocked:
            return ""
        self._text += text
        self.scanned += len(text)
        limit = self._windows(ended=ended)
        out = self._advance(limit, ended=ended)
        self._forget()
        self.released += len(out)
        return out

    def _advance(self, limit: int, *, ended: bool) -> str:
        """Decide every settled start before `limit`, and release what that allows."""
        seen = Piece(readable(self._text), self._source)
        settled = limit
        candidates: list[tuple[int, int, int, Finding, Rule]] = []
        for order, detector in enumerate(self._places):
            settled = min(settled, self._settled_by(detector, seen.text, ended=ended))
            for found in self._found(detector, seen):
                start, end = found.start + self._base, found.end + self._base
                rule = self._guard.rule(found, self._direction, self._source)
                if rule is not None and start >= self._settled:
                    candidates.append((start, -end, order, _moved(found, self._base), rule))
        out: list[str] = []
        for start, _, _, found, rule in sorted(candidates, key=lambda one: one[:3]):
            if start >= settled or self.blocked:
                break
            self._note(found, rule)
            if rule.action in ALTERING:
                self._alter(found, rule, out)
        self._settled = max(self._settled, settled)
        if not self.blocked:
            out.append(self._plain(self._settled))
        return "".join(out)

    def _alter(self, found: Finding, rule: Rule, out: list[str]) -> None:
        whole = found.start >= self._given
        if found.end <= self._given and rule.action != "block":
            return
        out.append(self._plain(found.start))
        if rule.action == "block":
            self.blocked = found.kind
            return
        if whole:
            value = self._text[found.start - self._base : found.end - self._base]
            out.append(replacement(rule, found, value, self._vault))
        else:
            out.append(mark(found.kind))  # its beginning went with another finding
        self._given = found.end

    def _plain(self, upto: int) -> str:
        """The untouched text before `upto`."""
        if upto <= self._given:
            return ""
        text = self._text[self._given - self._base : upto - self._base]
        self._given = upto
        return text

    def _settled_by(self, detector: Detector, text: str, *, ended: bool) -> int:
        if ended:
            return self._base + len(text)
        unsettled = getattr(detector, "unsettled", None)
        if unsettled is not None and detector.name not in self.failed:
            return self._base + int(unsettled(text))
        return max(self._settled, self._base + len(text) - detector.span - detector.context)

    def _windows(self, *, ended: bool) -> int:
        """Judge the windows that are full; returns the position up to which text may be released."""
        end = self._base + len(self._text)
        if not self._wholes:
            return end
        while self._judged < end and not self.blocked:
            upto = self._judged + WINDOW
            if upto > end:
                if not ended:
                    break
                upto = end
            text = readable(self._text[max(0, self._judged - WINDOW - self._base) : upto - self._base])
            for detector in self._wholes:
                for found in self._found(detector, Piece(text, self._source)):
                    self._judge(_placed(found, self._judged, upto))
            if not self.blocked:
                self._judged = upto
        held = any(self._holds(one) for one in self._wholes)
        return self._judged if held or self.blocked else end

    def _judge(self, found: Finding) -> None:
        rule = self._guard.rule(found, self._direction, self._source)
        if rule is None:
            return
        self._note(found, rule)
        if rule.action in ALTERING:
            self.blocked = self.blocked or found.kind

    def _holds(self, detector: Detector) -> bool:
        return any(
            rule.detector == detector.name and rule.action in ALTERING and self._direction in rule.directions
            for rule in self._guard.profile.rules
        )

    def _found(self, detector: Detector, piece: Piece) -> list[Finding]:
        if self._late():
            self._fail(detector)
            return []
        try:
            return list(detector.find(piece))
        except Exception:  # noqa: BLE001 - whatever a detector raises, the guard fails closed
            self._fail(detector)
            return []

    def _fail(self, detector: Detector) -> None:
        if detector.name in self.failed:
            return
        self.failed = (*self.failed, detector.name)
        if self._guard.profile.on_failure == "block":
            self.blocked = self.blocked or f"{detector.name}_failed"
        else:
            self.label = UNKNOWN

    def _note(self, found: Finding, rule: Rule) -> None:
        self.findings.append(found)
        self.ask = self.ask or rule.action == "ask"
        if rule.action == "raise" and rule.label is not None:
            self.label = rule.label if self.label is None else self.label.join(rule.label)

    def _forget(self) -> None:
        keep = min(self._settled, self._given)
        keep = keep - self._context
        if self._wholes:
            keep = min(keep, self._judged - WINDOW)
        if keep > self._base:
            self._text = self._text[keep - self._base :]
            self._base = keep


def _moved(found: Finding, by: int) -> Finding:
    return _placed(found, found.start + by, found.end + by) if by else found


def _placed(found: Finding, start: int, end: int) -> Finding:
    return Finding(detector=found.detector, kind=found.kind, start=start, end=end, score=found.score)
