"""Functions that workers run in tests of pools: each stands in a module, as theirs must."""

from __future__ import annotations

import hashlib
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


def length_of_what_follows(chunk):
    """Of a deadly number and bytes: dies as the number says."""
    dies_at_first(chunk[0])
    return len(chunk[1])


def unspeakable(number):
    """What cannot be sent."""
    return lambda: number


def leaves(number):
    raise SystemExit(number)


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


def who_else_runs(chunk):
    """The numbers that run meanwhile; what dies tells those of its second attempt."""
    if not chunk.deaths:
        mark = chunk.folder / f"{chunk.number}-runs"
        mark.touch()
        hashlib.pbkdf2_hmac("sha256", b"takes", b"time", 100_000)
        mark.unlink()
        return []
    dies_at_first(chunk)
    return sorted(one.name for one in chunk.folder.glob("*-runs"))


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
