"""Follows one epoch's folder: its segments in order, from a position on.

An epoch is finished when its gateway is gone and its last segment is read to its last whole frame.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.ledger.frames import Frame
from freehold.ledger.journal import LOST, epoch_over, read_segment, segment_name


class Reading(msgspec.Struct, frozen=True):
    """What one look at the folder gave."""

    frames: list[Frame]
    segment: int
    offset: int
    finished: bool
    strange: tuple[str, ...] = ()
    """Of each whole frame in this segment that this version does not know, why; it was passed over."""


def epochs_in(journal: Path) -> list[str]:
    """Names of the epochs that have a folder, in order. Hidden ones are not ready yet."""
    try:
        return sorted(one.name for one in os.scandir(journal) if not one.name.startswith(".") and one.is_dir())
    except FileNotFoundError:
        return []


def first_segment(folder: Path) -> int:
    """The lowest segment still there; 1 where there is none."""
    return min((int(one.stem) for one in folder.glob("*.journal")), default=1)


def look(folder: Path, segment: int, offset: int, limit: int) -> Reading:
    """Read on from a position, about `limit` bytes. The position returned is where to go on."""
    over = epoch_over(folder)  # asked before reading, so that nothing can be written in between
    while True:
        path = folder / segment_name(segment)
        has_next = (folder / segment_name(segment + 1)).exists()
        frames: list[Frame] = []
        strange: list[str] = []
        if path.exists() and path.stat().st_size > offset:
            frames, offset = read_segment(path, offset, limit, strange)
        read = bool(frames or strange)
        if read or not has_next:
            return Reading(frames, segment, offset, over and not read and not has_next, tuple(strange))
        segment, offset = segment + 1, 0


def loaded_segments(folder: Path, segment: int) -> list[Path]:
    """Segments before the given one: nothing in them is needed any more."""
    return sorted(one for one in folder.glob("*.journal") if int(one.stem) < segment)


def open_segments(folder: Path, segment: int) -> list[Path]:
    """The given segment and those after it."""
    return sorted(one for one in folder.glob("*.journal") if int(one.stem) >= segment)


def set_aside(folder: Path, segment: int, quarantine: Path) -> Path:
    """Keep a segment when its epoch goes: a second name for the same file, so what is still written is kept too."""
    kept = quarantine / f"{folder.name}-{segment_name(segment)}"
    quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.link(folder / segment_name(segment), kept)
    return kept


def remove(folder: Path) -> None:
    """Delete an epoch's folder, its lock last so that it stays recognisable while it goes."""
    for one in folder.glob("*.journal"):
        one.unlink(missing_ok=True)
    (folder / LOST).unlink(missing_ok=True)
    (folder / "lock").unlink(missing_ok=True)
    folder.rmdir()
