"""Progress of long commands on standard error: a bar on a terminal, a dated line each tenth of the way elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from freehold.cli.output import say

Advance = Callable[[float, str], None]
"""Takes how much is done, of the total, and a few words on it."""


@contextmanager
def progress(what: str, total: float, *, quiet: bool = False) -> Iterator[Advance]:
    """Shows how far something is while the block runs; nothing where `quiet`."""
    if quiet:
        yield lambda _done, _words: None
    elif sys.stderr.isatty():
        yield from _bar(what, total)
    else:
        yield _lines(what, total)


def _bar(what: str, total: float) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, words="")
        yield lambda done, words: bar.update(task, completed=done, words=words)


def _lines(what: str, total: float) -> Advance:
    told = [0]

    def advance(done: float, words: str) -> None:
        tenth = 10 if total <= 0 else min(int(done * 10 / total), 10)
        if tenth > told[0]:
            told[0] = tenth
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
            say(f"{now}  {what}  {tenth * 10:3d} %  {words}")

    return advance
