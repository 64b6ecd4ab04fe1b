"""A recipe as a child process: `python -m freehold.moves.training.RECIPE --job FOLDER [--parent PID]`.

One process at a time works in a folder; whoever was killed is taken up again by the next. Exit 0 when the result is
written, 1 with the error on stderr and in FOLDER/error.json.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from freehold.core.errors import Conflict, FileRefused, FreeholdError
from freehold.core.process import die_with_parent
from freehold.moves.training.job import Trained, Workshop, keep_error, read_result

Run = Callable[[Workshop], Trained]


def run_job(folder: Path, run: Run) -> Trained:
    """Run a job to its result, or return the one that is there. Raises Conflict while another process runs it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileRefused.of(error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process trains in {folder}", hint="wait for it, or end it first") from None
        done = read_result(folder)
        return done if done is not None else _told(folder, run)
    finally:
        os.close(descriptor)


def _told(folder: Path, run: Run) -> Trained:
    keep_error(folder, None)
    try:
        return run(Workshop(folder))
    except FreeholdError as error:
        keep_error(folder, error)
        raise


def main(run: Run, about: str | None, arguments: list[str] | None = None) -> int:
    """The command line of a recipe."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--job", type=Path, required=True, help="folder that was prepared")
    parser.add_argument("--parent", type=int, help="process without which nobody wants the result")
    asked = parser.parse_args(arguments)
    folder = asked.job
    die_with_parent(signal.SIGKILL)
    if asked.parent not in (None, os.getppid()):  # it ended before the kernel was asked
        return 1
    try:
        made = run_job(folder, run)
    except FreeholdError as error:
        sys.stderr.write(f"error[{error.code}] {error.message}\n  fix   {error.hint}\n")
        return 1
    sys.stderr.write(f"{made.format}: {made.bytes} bytes after {made.seconds:.1f} s\n")
    return 0
