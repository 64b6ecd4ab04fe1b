"""Other scanners' words on an artefact, by their own commands where they are on PATH.

Invariant: they can make a verdict harder, never milder; one that fails to answer is a `review`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from freehold.registry.gate.types import Reason, Report, hardest

SECONDS = 120.0
_QUIET = {
    "DO_NOT_TRACK": "1",
    "MODELAUDIT_NO_TELEMETRY": "1",
    "NO_COLOR": "1",
    "NO_ANALYTICS": "1",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
}
"""Some of them tell their makers of each scan unless told otherwise."""


class Scanner(msgspec.Struct, frozen=True):
    """How one scanner is asked, and what its exit codes mean."""

    command: str
    arguments: tuple[str, ...]
    """`{path}` stands for the artefact."""
    found: tuple[int, ...]
    """Exit codes that say: something is wrong with the artefact."""


SCANNERS: tuple[Scanner, ...] = (
    Scanner("hayward", ("scan", "{path}"), (1,)),
    Scanner("modelaudit", ("scan", "--no-cache", "{path}"), (1,)),
    Scanner("modelscan", ("-p", "{path}"), (1,)),
    Scanner("picklescan", ("-p", "{path}"), (1,)),
)

Find = Callable[[str], str | None]


def asked(report: Report, root: Path, scanners: tuple[Scanner, ...] = SCANNERS, find: Find = shutil.which) -> Report:
    """`report` with what the scanners that are here say about `root`; unchanged where none is."""
    said = tuple(reason for one in scanners if (reason := _ask(one, root, find)) is not None)
    reasons = (*report.reasons, *said)
    every = (*reasons, *(each for one in report.files for each in one.reasons))
    return msgspec.structs.replace(report, reasons=reasons, verdict=hardest(every))


def _ask(scanner: Scanner, root: Path, find: Find) -> Reason | None:
    program = find(scanner.command)
    if program is None:
        return None
    command = [program, *(one.replace("{path}", os.fspath(root.absolute())) for one in scanner.arguments)]
    environment = {"PATH": os.defpath, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **_QUIET}
    try:
        ended = subprocess.run(
            command, capture_output=True, timeout=SECONDS, check=False, env=environment, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return Reason("review", "second.silent", "", f"{scanner.command} gave no answer")
    if ended.returncode == 0:
        return None
    if ended.returncode in scanner.found:
        return Reason("review", "second.found", "", f"{scanner.command} finds something wrong with it")
    return Reason("review", "second.silent", "", f"{scanner.command} ended with {ended.returncode}")
