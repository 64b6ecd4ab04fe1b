"""What became of a line, written down: once, with its count, whoever asked it."""

from __future__ import annotations

from sqlalchemy import Engine

from freehold.batches import store
from freehold.batches.sealing import Drawer
from freehold.batches.shapes import line_of
from freehold.batches.types import Batch, Outcome, Task
from freehold.core.db import writing


class Lines:
    """Of all batches of an instance."""

    def __init__(self, engine: Engine, drawer: Drawer) -> None:
        self.engine = engine
        self.drawer = drawer

    def write(self, batch: Batch, task: Task, outcome: Outcome) -> None:
        """Keep it for the output or the error file. Nothing where that was done before."""
        sealed = self.drawer.put_line(batch.id, task.number, line_of(batch.id, task, outcome))
        with writing(self.engine) as connection:
            store.add_line(connection, batch, (task.number, outcome.good, sealed), outcome.usage)
