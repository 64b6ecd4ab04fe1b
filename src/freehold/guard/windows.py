"""Detectors that judge a stretch as a whole, on a text that arrives: windows lie at fixed positions of the text.

So what they say depends on the text alone, never on how it was split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from freehold.guard.types import Detector, Finding, Piece, Source

WINDOW = 512
"""Characters that are judged at once, behind as many that were judged before."""

Find = Callable[[Detector, Piece], Iterable[Finding]]


class Windows:
    """The windows of one text. `endless` makes one window of the whole text, for detectors of wholes."""

    def __init__(self, detectors: Sequence[Detector], source: Source, *, endless: bool) -> None:
        self.detectors = tuple(detectors)
        self._source: Source = source
        self.judged = 0
        """Everything before it was seen."""
        self._endless = endless
        self._margin = max([one.span for one in detectors], default=0)

    @property
    def needs(self) -> int:
        """The first position that the next window looks at."""
        return 0 if self._endless else self.judged - WINDOW

    def judge(self, find: Find, base: int, text: str, *, ended: bool) -> list[Finding]:
        """What `find` finds in the windows that are complete, at its positions in the whole text, of which `text`
        begins at `base`. Whoever finds is not kept: it keeps the windows.
        """
        if not self.detectors:
            return []
        found: list[Finding] = []
        end = base + len(text)
        if self._endless and ended:
            for one in self.detectors:
                if one.span == 0 and text:
                    found += (placed(each, base, end) for each in find(one, Piece(text, self._source)))
        while self.judged < end and (ended or self.judged + WINDOW + self._margin <= end):
            upto = min(self.judged + WINDOW, end)
            first = max(0, self.judged - WINDOW)
            for one in self.detectors:
                found += self._of(find, one, text[first - base : upto + one.span - base], upto)
            self.judged = upto
        return found

    def _of(self, find: Find, detector: Detector, text: str, upto: int) -> list[Finding]:
        if detector.span == 0:
            found = () if self._endless else find(detector, Piece(text, self._source))
            return [placed(one, self.judged, upto) for one in found]
        first = max(0, self.judged - WINDOW)
        moved = [placed(one, one.start + first, one.end + first) for one in find(detector, Piece(text, self._source))]
        return [one for one in moved if self.judged <= one.start < upto]


def placed(found: Finding, start: int, end: int) -> Finding:
    """The same finding elsewhere."""
    if (found.start, found.end) == (start, end):
        return found
    return Finding(detector=found.detector, kind=found.kind, start=start, end=end, score=found.score)
