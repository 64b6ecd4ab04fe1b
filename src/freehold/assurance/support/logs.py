"""What the logs tell, counted: events by name, and defects by their places in our code. No line goes as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from freehold.assurance.support.types import Defect, LogLines
from freehold.assurance.support.words import word

READ_BYTES = 4 << 20
"""From the end of each log: what is older helps nobody."""
MOST = 200
_LEVELS = ("info", "warning", "error")
_EVENT = re.compile(r"[a-z][a-z ,-]{2,60}\Z")
"""Events are words of ours: no digits, nothing that a key could be."""
_KIND = re.compile(r"[A-Z][A-Za-z]{2,40}\Z")
_PLACE = re.compile(r"[a-z_]{1,40}\.py:\d{1,5} [a-z_<>]{1,60}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,15}Z\Z")


def counted(folder: Path) -> tuple[tuple[LogLines, ...], tuple[Defect, ...]]:
    """Events and defects of every log in the folder, the most frequent first."""
    events: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], str] = {}
    defects: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for path in sorted(folder.glob("*.log")) if folder.is_dir() else ():
        for line in _lines(path):
            level, event, at = (str(line.get(name, "")) for name in ("level", "event", "at"))
            if level not in _LEVELS:
                continue
            key = (word(path.stem), level, _known(event))
            events[key] += 1
            last[key] = at if _TIME.match(at) else ""
            if (kind := str(line.get("kind", ""))) and _KIND.match(kind):
                defects[kind, _places(str(line.get("trace", "")))] += 1
    return (
        tuple(
            LogLines(log=log, level=level, event=event, count=count, last=last[log, level, event])
            for (log, level, event), count in events.most_common(MOST)
        ),
        tuple(Defect(kind=kind, places=places, count=count) for (kind, places), count in defects.most_common(MOST)),
    )


def _known(event: str) -> str:
    return event if _EVENT.match(event) else "(other)"


def _places(trace: str) -> tuple[str, ...]:
    return tuple(one for one in trace.split(" < ") if _PLACE.match(one))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are ours: JSON objects. Engines and libraries write others, which nobody can vouch for."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(0, size - READ_BYTES))
        raw: Iterable[bytes] = file.read(READ_BYTES).split(b"\n")
    for one in raw:
        try:
            line = msgspec.json.decode(one)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(line, dict):
            yield line
