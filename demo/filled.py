"""An instance as the demo leaves it, for whoever wants to look at one: screenshots, tests of the console, benches."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from demo.first_calls import first_calls
from demo.instance import WRITTEN, Instance, instance, vendor
from demo.logs import company
from demo.move import Act


@contextmanager
def filled(folder: Path, console: Console | None = None) -> Iterator[Instance]:
    """A running instance with calls, an imported log, workflows, moves that were cut over and taken back.

    Takes some minutes of two cores. Classifiers only: nothing that writes is trained.
    """
    told = console or Console(file=io.StringIO(), width=140)
    log = company(folder)
    with vendor(log.recorded) as url, instance(folder, url, log.models, WRITTEN) as running:
        first_calls(told, running, folder)
        Act(told, running, log, folder).play(lora=False)
        yield running
