"""The end of a batch: its lines become an output file and an error file, in one transaction with its last status."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from freehold.batches import store
from freehold.batches.files import Cabinet, Content, Owner
from freehold.batches.reading import read
from freehold.batches.sealing import Drawer
from freehold.batches.shapes import line_of
from freehold.batches.types import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    EXPIRED,
    FAILED,
    FINALIZING,
    OPEN,
    OUTPUT,
    Batch,
    File,
    Outcome,
    Problem,
    Said,
    batch_text,
)
from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import NotFound
from freehold.ledger.audit.store import append

_UNASKED = {
    CANCELLED: ("batch_cancelled", "The batch was cancelled before this line was asked."),
    EXPIRED: ("batch_expired", "The completion window was over before this line was asked."),
    FAILED: ("batch_failed", "The batch ended before this line was asked."),
}


class Ending:
    """Ends batches."""

    def __init__(self, cabinet: Cabinet, drawer: Drawer, clock: Clock) -> None:
        self._cabinet = cabinet
        self._engine = cabinet.engine
        self._drawer = drawer
        self._clock = clock

    def end(self, batch: Batch, said: Said, problem: Problem | None) -> None:
        """Write what there is into files and say how it ended. Run again after an interruption, it ends the same."""
        with reading(self._engine) as connection:
            newest = store.find_batch(connection, batch.key_id, batch.id)
            batch = batch if newest is None else newest[0]
            good = list(store.lines(connection, batch.id, good=True))
            bad = list(store.lines(connection, batch.id, good=False))
        total = max(batch.total, len(good) + len(bad))
        left = total - len(good) - len(bad)
        if problem is not None:
            status = FAILED
        elif batch.status == CANCELLING:
            status = CANCELLED
        else:
            status = EXPIRED if left else COMPLETED
        if problem is not None and problem.code == "input_file_gone":
            self._close(batch, status, problem, ())
            return
        output = [self._drawer.line(batch.id, *one) for one in good]
        errors = [self._drawer.line(batch.id, *one) for one in bad]
        if left and total:
            done = {number for number, _ in (*good, *bad)}
            errors += self._unasked(batch, done, _UNASKED[status])
        self._keep(batch, said, (output, errors), (status, problem))

    def _keep(
        self,
        batch: Batch,
        said: Said,
        lines: tuple[list[bytes], list[bytes]],
        how: tuple[str, Problem | None],
    ) -> None:
        names = (f"{batch_text(batch.id)}_output.jsonl", f"{batch_text(batch.id)}_error.jsonl")
        stated = said.headers.get("x-freehold-label", "")
        contents = [
            Content(name, b"".join(one + b"\n" for one in found), OUTPUT, batch.label, stated, said.output_seconds)
            for name, found in zip(names, lines, strict=True)
            if found
        ]
        owner = Owner(batch.key_id, batch.team, "batches", said.subject)
        if not contents:
            self._close(batch, *how, ())
            return

        def closing(connection: Connection, made: Sequence[File]) -> None:
            self._closed(connection, batch, how, made)

        self._cabinet.keep(contents, owner, closing)

    def _close(self, batch: Batch, status: str, problem: Problem | None, made: Sequence[File]) -> None:
        with writing(self._engine) as connection:
            self._closed(connection, batch, (status, problem), made)

    def _closed(
        self, connection: Connection, batch: Batch, how: tuple[str, Problem | None], made: Sequence[File]
    ) -> None:
        status, problem = how
        found = store.find_batch(connection, batch.key_id, batch.id)
        if found is None or found[0].status not in OPEN:
            return
        now, before = self._clock(), found[0]
        files = {one.name.endswith("_error.jsonl"): one.id for one in made}
        ended = msgspec.structs.replace(
            before,
            status=status,
            output_file=files.get(False),
            error_file=files.get(True),
            times={**before.times, FINALIZING: now, status: now},
            problems=(*before.problems, problem) if problem is not None else before.problems,
        )
        store.save(connection, ended)
        store.drop_lines(connection, batch.id)
        told: dict[str, object] = {"batch": batch.id.hex(), "status": status, "total": ended.total}
        append(connection, now, "batch.end", "batches", {**told, "completed": ended.completed, "failed": ended.failed})

    def _unasked(self, batch: Batch, done: set[int], why: tuple[str, str]) -> list[bytes]:
        with reading(self._engine) as connection:
            found = store.find_file(connection, batch.key_id, batch.input_file)
        if found is None:
            return []
        try:
            content = self._cabinet.bodies.open(found[1])
        except NotFound:
            return []
        outcome = Outcome(error=why[0], message=why[1])
        every = read(content, batch.endpoint, batch.total).tasks
        return [line_of(batch.id, one, outcome) for one in every if one.number not in done]
