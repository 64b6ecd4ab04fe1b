"""The demo's play from start to end, for whoever shows it or wants an instance as it leaves one: screenshots, tests."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from demo.first_calls import first_calls
from demo.instance import WRITTEN, Instance, instance, vendor
from demo.logs import Log, company
from demo.move import Act, summary

NOTICE = "The rented vendor is a replay on this machine: recorded or synthetic answers, the real price list."


class Played(NamedTuple):
    """A running instance with calls, an imported log, workflows, moves that were cut over and taken back."""

    instance: Instance
    good: bool
    """Every call is settled, every receipt and every dossier verifies."""


@contextmanager
def played(console: Console, folder: Path, log: Log, *, lora: bool) -> Iterator[Played]:
    """Play on a console; the instance serves until the end. Takes some minutes of two cores.

    Without `lora` classifiers only are trained, nothing that writes. SystemExit where the instance does not start.
    """
    began = time.monotonic()
    with vendor(log.recorded) as url:
        console.print("Starting Freehold: gateway, writer, management API, worker, trainer, two engines ...")
        with instance(folder, url, log.models, WRITTEN if log.synthetic else "") as running:
            console.print(f"Up after {time.monotonic() - began:.1f} s at {running.base}. [dim]{NOTICE}[/]\n")
            good = first_calls(console, running, folder)
            moved = Act(console, running, log, folder).play(lora=lora)
            good = summary(console, moved, running, folder, log.told) and good
            yield Played(running, good)


@contextmanager
def filled(folder: Path) -> Iterator[Instance]:
    """The instance that the invented company's log leaves, and nothing printed."""
    with played(Console(file=io.StringIO(), width=140), folder, company(folder), lora=False) as (running, _):
        yield running
