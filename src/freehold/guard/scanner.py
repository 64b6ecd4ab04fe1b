"""One text, as it arrives: what may be released, and what was found. The outcome does not depend on the splits.

A start is settled once no further text can change what begins there. Text is released up to the first start that is
not; among findings that alter the text the leftmost, then the longest, is replaced, and the rest of one that overlaps
it is replaced by itself. Detectors that need more than a bounded view judge windows at fixed positions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from freehold.core.label import UNKNOWN, Label
from freehold.guard.apply import ALTERING, Vault, mark
from freehold.guard.profile import Guard
from freehold.guard.types import Detector, Direction, Finding, Piece, Rule, Source
from freehold.guard.windows import Windows, placed

_LONE = re.compile("[\ud800-\udfff]")


def never() -> bool:
    """It is never too late."""
    return False


def readable(text: str) -> str:
    """The text as detectors see it, character for character: halves of surrogate pairs have no UTF-8 form."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


class Part(NamedTuple):
    """A stretch of what is released. With a `kind`, a value that a stand-in of the vault goes out for."""

    text: str
    kind: str = ""


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
        self.label: Label | None = None
        """What joins the call's label: rules that raise, and UNKNOWN where a detector failed."""
        self.scanned = 0
        self.released = 0
        """Characters given out so far, replacements included."""
        self.blocked = ""
        """Kind of the finding that blocks; after it nothing is released."""
        self.ask = False
        self.failed: tuple[str, ...] = ()
        self.guard = guard
        self._source: Source = source
        self._direction: Direction = direction
        self._vault = vault
        self._late = late
        watching = guard.watching(direction, source)
        self._places = [one for one in watching if one.span > 0 and not getattr(one, "windowed", False)]
        wide = [one for one in watching if one not in self._places]
        alters = [one for one in wide if guard.alters(one.name, direction, source)]
        endless = direction == "in"
        self._holding = Windows(alters, source, endless=endless)
        self._telling = Windows([one for one in wide if one not in alters], source, endless=endless)
        self._context = max([one.context for one in self._places], default=0)
        self._text = ""
        self._base = 0  # position of the kept text's first character
        self._settled = 0  # every start before it has been decided
        self._given = 0  # everything before it was released, or replaced
        self._noted: list[Finding] = []
        self._ends: dict[tuple[str, str], int] = {}  # how far the noted findings of a kind reach
        self._waiting: list[Finding] = []  # found in windows, or given, and not decided

    @property
    def findings(self) -> list[Finding]:
        """In order of their start, positions in the whole text."""
        return sorted(self._noted, key=lambda one: (one.start, one.end, one.detector, one.kind))

    @property
    def held(self) -> int:
        """Characters taken and neither released nor replaced yet."""
        return self._base + len(self._text) - self._given

    def feed(self, text: str) -> str:
        """Take the next characters; returns what may be released now."""
        return self._joined(self._take(text, ended=False))

    def end(self) -> str:
        """No more will come; returns the rest."""
        return self._joined(self._take("", ended=True))

    def whole(self, text: str) -> str:
        """The outcome for a whole text: the same as of any stream of it."""
        return self._joined(self._take(text, ended=True))

    def parts(self, text: str, also: Iterable[Finding] = ()) -> list[Part]:
        """As `whole`, in parts. Findings `also` count as if a detector had made them here."""
        self._waiting += also
        return self._take(text, ended=True)

    def _joined(self, parts: list[Part]) -> str:
        out = "".join(self._stand_in(one) if one.kind else one.text for one in parts)
        self.released += len(out)
        return out

    def _stand_in(self, part: Part) -> str:
        return mark(part.kind) if self._vault is None else self._vault.stand_in(part.kind, part.text)

    def _take(self, text: str, *, ended: bool) -> list[Part]:
        if self.blocked:
            return []
        self._text += text
        self.scanned += len(text)
        seen = readable(self._text)
        for one in self._telling.judge(self.find, self._base, seen, ended=ended):
            rule = self.guard.rule(one, self._direction, self._source)
            if rule is not None:
                self.note(one, rule)
        self._waiting += self._holding.judge(self.find, self._base, seen, ended=ended)
        out = self._advance(Piece(seen, self._source), ended=ended)
        self._forget()
        return out

    def _advance(self, seen: Piece, *, ended: bool) -> list[Part]:
        """Decide every start that is settled, and release what that allows."""
        end = self._base + len(self._text)
        settled = end if ended or not self._holding.detectors else self._holding.judged
        found: list[tuple[int, int, int, Finding, Rule]] = []
        for order, detector in enumerate(self._places):
            settled = min(settled, end if ended else self._settled_by(detector, seen.text))
            for one in self.find(detector, seen):
                self._candidate(order, placed(one, one.start + self._base, one.end + self._base), found)
        for one in self._waiting:
            self._candidate(len(self._places), one, found)
        out: list[Part] = []
        for start, _, _, one, rule in sorted(found, key=lambda each: each[:3]):
            if start >= settled or self.blocked:
                break
            self._decide(one, rule, out)
        self._waiting = [one for one in self._waiting if one.start >= settled]
        self._settled = max(self._settled, settled)
        if not self.blocked:
            self._plain(self._settled, out)
        return out

    def _candidate(self, order: int, one: Finding, found: list[tuple[int, int, int, Finding, Rule]]) -> None:
        rule = self.guard.rule(one, self._direction, self._source)
        if rule is not None and one.start >= self._settled:
            found.append((one.start, -one.end, order, one, rule))

    def _decide(self, found: Finding, rule: Rule, out: list[Part]) -> None:
        family = (found.detector, found.kind)
        if found.end > self._ends.get(family, 0):  # else it lies within one that was noted
            self._ends[family] = found.end
            self.note(found, rule)
        if rule.action not in ALTERING or (found.end <= self._given and rule.action != "block"):
            return
        whole = found.start >= self._given
        self._plain(found.start, out)
        if rule.action == "block":
            self.blocked = found.kind
            return
        if whole and rule.action == "pseudonymise":
            out.append(Part(self._text[found.start - self._base : found.end - self._base], found.kind))
        else:
            out.append(Part(mark(found.kind)))
        self._given = found.end

    def _plain(self, upto: int, out: list[Part]) -> None:
        """Release the untouched text before `upto`."""
        if upto > self._given:
            out.append(Part(self._text[self._given - self._base : upto - self._base]))
            self._given = upto

    def _settled_by(self, detector: Detector, text: str) -> int:
        unsettled = getattr(detector, "unsettled", None)
        if unsettled is not None:
            return self._base + int(unsettled(text))
        return max(self._settled, self._base + len(text) - detector.span - detector.context)

    def find(self, detector: Detector, piece: Piece) -> Iterable[Finding]:
        """What a detector finds. One that raises, or comes too late, has failed."""
        if not self._late():
            try:
                return list(detector.find(piece))
            except Exception:  # noqa: BLE001 - whatever a detector raises, the guard fails closed
                self.fail(detector.name)
                return ()
        self.fail(detector.name)
        return ()

    def fail(self, name: str) -> None:
        """A detector did not do its work."""
        if name in self.failed:
            return
        self.failed = (*self.failed, name)
        if self.guard.profile.on_failure == "block":
            self.blocked = self.blocked or f"{name}_failed"
        else:
            self.label = UNKNOWN

    def note(self, found: Finding, rule: Rule) -> None:
        """Write a finding down, with what its rule leads to but for the text."""
        self._noted.append(found)
        self.ask = self.ask or rule.action == "ask"
        if rule.action == "raise" and rule.label is not None:
            self.label = rule.label if self.label is None else self.label.join(rule.label)

    def _forget(self) -> None:
        keep = min(self._settled, self._given) - self._context
        for one in (self._holding, self._telling):
            if one.detectors:
                keep = min(keep, one.needs)
        if keep > self._base:
            self._text = self._text[keep - self._base :]
            self._base = keep
