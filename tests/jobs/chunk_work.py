"""Functions that workers run in tests of pools: each stands in a module, as theirs must."""

from __future__ import annotations

import os
import signal
import struct
from multiprocessing.connection import Connection
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
    """Is killed, the first time, when it has sent half of what it found."""
    if chunk.deaths:
        try:
            (chunk.folder / f"{chunk.number}-answer").touch(exist_ok=False)
            Connection._send_bytes = _half
        except FileExistsError:
            pass
    return bytes(1 << 15)


def _half(connection, data):
    os.write(connection.fileno(), struct.pack("!i", len(data)) + bytes(data[: len(data) // 2]))
    os.kill(os.getpid(), signal.SIGKILL)


def where(number):
    return os.getpid()
