"""The gate in a child process of its own, with bounded memory, processor time and wall clock.

Invariant: a child that was killed, crashed or said something else than a report is a `block`, never an `allow`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec

from freehold.registry.gate.scan import rules, scan
from freehold.registry.gate.types import Limits, Reason, Report

SLOWEST_BYTES = 50 << 20
"""Bytes a second a file is at least hashed at: time for that comes on top of `Limits.seconds`."""
OWN_BYTES = 96 << 20
"""What the interpreter and this package take by themselves."""


def scan_apart(root: Path, limits: Limits = Limits()) -> Report:  # noqa: B008  frozen
    """As `scan.scan`, in a child with `limits.memory_bytes` of data and a deadline.

    The deadline is `limits.seconds`, and a second for every 50 MiB there are to hash. Raises OSError where `root`
    cannot be looked at.
    """
    root.lstat()
    wall = limits.seconds + _size(root) / SLOWEST_BYTES
    command = [sys.executable, "-I", "-m", __name__, os.fspath(root.absolute()), f"{wall:.0f}"]
    try:
        ended = subprocess.run(
            command,
            input=msgspec.json.encode(limits),
            capture_output=True,
            timeout=wall + 5,
            check=False,
            cwd="/",
            env={"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return _blocked("not understood within the time there is")
    if ended.returncode != 0:
        return _blocked(f"the look ended with {ended.returncode}: out of memory or time, or a defect")
    try:
        return msgspec.json.decode(ended.stdout, type=Report)
    except msgspec.DecodeError:
        return _blocked("the look said something else than a report")


def _blocked(said: str) -> Report:
    return Report("block", (), rules(), (Reason("block", "gate.budget", "", said),))


def _size(root: Path) -> int:
    if not root.is_dir():
        return root.lstat().st_size
    return sum(Path(folder, one).lstat().st_size for folder, _, names in os.walk(root) for one in names)


def main(arguments: list[str]) -> int:
    """The child: limits itself, looks, writes the report to stdout."""
    limits = msgspec.json.decode(sys.stdin.buffer.read(), type=Limits)
    seconds = int(float(arguments[1])) + 2
    memory = limits.memory_bytes + OWN_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.setrecursionlimit(2_000)
    report = scan(Path(arguments[0]), limits)
    sys.stdout.buffer.write(msgspec.json.encode(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
