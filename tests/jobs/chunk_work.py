"""Functions that workers run in tests of pools: each stands in a module, as theirs must."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import NamedTuple

from freehold.core.errors import BadRequest


class Deadly(NamedTuple):
    """A number, and a folder in which each attempt to work on it leaves a file."""

    number: int
    folder: Path
    deaths: int = 0


def squared(number):
    return number * number


def reversed_bytes(chunk):
    return [one[::-1] for one in chunk]


def refuses_seven(number):
    if number == 7:
        raise BadRequest("seven", hint="take another", param="number")
    return number


def dies_at_first(chunk):
    """Kills its own process as often as asked, in the middle of its work."""
    for attempt in range(chunk.deaths):
        try:
            (chunk.folder / f"{chunk.number}-{attempt}").touch(exist_ok=False)
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
    return chunk.number, os.getpid()


def dies_while_answering(chunk):
    """Is killed, the first time, most likely in the middle of sending what it found."""
    if chunk.deaths:
        try:
            (chunk.folder / f"{chunk.number}-answer").touch(exist_ok=False)
            threading.Timer(0.005, os.kill, (os.getpid(), signal.SIGKILL)).start()
        except FileExistsError:
            pass
    return bytes(64 << 20)


def where(number):
    return os.getpid()
