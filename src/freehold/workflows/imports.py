"""Log files onto the shelf: streamed, recognised element by element, idempotent, never stopped by a bad line.

An import that was interrupted is run again: what was kept stays and is known, so nothing is lost or doubled.
"""

from __future__ import annotations

import contextlib
import errno
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from freehold.core.clock import Clock
from freehold.core.crypto import Sealer
from freehold.core.db import writing
from freehold.core.errors import FileRefused
from freehold.core.ids import as_text
from freehold.jobs.pool import InProcess, Pool
from freehold.ledger.audit.store import append
from freehold.workflows import store
from freehold.workflows.chunks import MISSHAPEN, SHAPE, Chunk, Taken, cut, read
from freehold.workflows.drafts import Drafted, Options, drafted, named
from freehold.workflows.errors import NotALog, StorageFull, Unreadable
from freehold.workflows.formats.registry import BY_NAME
from freehold.workflows.formats.types import Half
from freehold.workflows.halves import Halves, Waiting
from freehold.workflows.pieces import Piece, pieces
from freehold.workflows.reading import Source
from freehold.workflows.records import Record
from freehold.workflows.rejects import Rejects
from freehold.workflows.shelf import Shelf

FOLDER = "imports"
_BATCH = 1000
_BATCH_BYTES = 8 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Counts(msgspec.Struct):
    """Calls of an import. `known` were recorded before, or occur twice; `skipped` are no chat calls."""

    new: int = 0
    known: int = 0
    skipped: int = 0
    rejected: int = 0


class FileReport(msgspec.Struct, kw_only=True):
    """One file: its size and digest, the forms found in it, and why it could not be read to its end."""

    name: str
    bytes: int = 0
    sha256: str = ""
    formats: dict[str, int] = {}
    trouble: str = ""


class Report(msgspec.Struct, kw_only=True):
    """What an import did. `rejects` is the path of the reject file; empty where nothing was rejected."""

    id: str
    label: str
    seconds: float
    new: int
    known: int
    skipped: int
    rejected: int
    rejects: str
    untimed: int
    """Of the calls read, those of a form that tells no time."""
    files: list[FileReport]


class Into(msgspec.Struct, frozen=True):
    """The instance that takes the records, and where a log is read: only this process writes."""

    home: Path
    engine: Engine
    shelf: Shelf
    sealer: Sealer
    retention_seconds: float
    pool: Pool = InProcess()


Progress = Callable[[int, Counts], None]
"""Told bytes of the files read so far, and the counts; called about once a batch."""


def import_files(
    paths: Sequence[Path], into: Into, options: Options, new_id: bytes, clock: Clock, progress: Progress | None = None
) -> Report:
    """Import files as one import, under the id given. Halves of calls are joined across the files, in any order.

    Raises FileRefused where a file is not there, StorageFull where the disk is: run it again then.
    """
    for path in paths:
        _must_be_readable(path)
    run = _Run(into, options, new_id, clock, progress)
    run.begin()
    try:
        for path in paths:
            run.file(path)
        run.finish()
    except (OSError, OperationalError, FileRefused) as error:
        full = _storage_full(error)
        if full is None:
            raise
        run.failed("storage full")
        raise full from error
    finally:
        run.close()
    return run.report()


class _Run:
    """One import while it goes on."""

    def __init__(self, into: Into, options: Options, new_id: bytes, clock: Clock, progress: Progress | None) -> None:
        self._into = into
        self._options = options
        self._id = new_id
        self._clock = clock
        self._progress = progress
        self._started = clock()
        self._ended: float | None = None
        self._counts = Counts()
        self._untimed = 0
        self._files: list[FileReport] = []
        self._batch: list[Record] = []
        self._batch_bytes = 0
        self._read = 0
        folder = into.home / FOLDER
        self._rejects = Rejects(folder / f"{as_text('imp', new_id)}.rejects.jsonl")
        self._halves = Halves(folder, into.sealer)
        self._form = ""

    def begin(self) -> None:
        """Write down that it goes on."""
        with writing(self._into.engine) as connection:
            store.keep_import(connection, self._row(""))

    def file(self, path: Path) -> None:
        """Read one file to its end, or to where it makes no sense any more."""
        source = Source(path)
        report = FileReport(name=str(path))
        self._files.append(report)
        formats: Counter[str] = Counter()
        before = self._read
        under_way: deque[Chunk] = deque()
        for done in self._into.pool.map(read, self._chunks(source, report, under_way)):
            chunk = under_way.popleft()
            if not done.holds(self._form):
                done = read(msgspec.structs.replace(chunk, likely=self._form))
            if done.elements:
                self._form = done.last
            for one in done.taken:
                self._element(one, report.name, formats)
            self._read = before + source.read
            self._tell()
        report.trouble = report.trouble or source.trouble
        if report.trouble:
            self._reject(Piece(0, ""), report.name, report.trouble)
        self._flush()
        report.bytes, report.sha256, report.formats = source.read, source.sha256, dict(sorted(formats.items()))
        self._read = before + source.read
        self._tell()

    def finish(self) -> None:
        """Say what waits in vain, and write the import down with an entry in the audit log."""
        for one in self._halves.rest():
            other = "its request" if one.half.answer else "its answer"
            reason = f"{other} is in none of the files: import both together"
            self._reject(Piece(one.place, "line"), one.file, reason, one.half.source)
        self._flush()
        self._ended = self._clock()
        with writing(self._into.engine) as connection:
            row = self._row("")
            store.keep_import(connection, row)
            content = {
                "import": as_text("imp", self._id),
                "label": self._options.label,
                "files": [{"name": one.name, "sha256": one.sha256} for one in self._files],
                **msgspec.structs.asdict(self._counts),
            }
            append(connection, self._ended, "records.import", "cli", content)

    def failed(self, why: str) -> None:
        """Say why it ended early, where there is room to."""
        with contextlib.suppress(OperationalError, OSError), writing(self._into.engine) as connection:
            store.keep_import(connection, self._row(why))

    def close(self) -> None:
        """Let go of files."""
        self._halves.close()
        self._rejects.close()

    def report(self) -> Report:
        """What was done."""
        return Report(
            id=as_text("imp", self._id),
            label=self._options.label,
            seconds=(self._ended or self._clock()) - self._started,
            rejects=str(self._rejects.path) if self._rejects.count else "",
            untimed=self._untimed,
            files=self._files,
            **msgspec.structs.asdict(self._counts),
        )

    def _chunks(self, source: Source, report: FileReport, under_way: deque[Chunk]) -> Iterator[Chunk]:
        """The file in chunks, each remembered until it is read; what ends it early is told in the report."""
        try:
            for raws in cut(pieces(source)):
                under_way.append(Chunk(raws, self._options, self._id, self._form))
                yield under_way[-1]
        except NotALog as error:
            report.trouble = error.message

    def _element(self, one: Taken, file: str, formats: Counter[str]) -> None:
        if one.form:
            formats[one.form] += 1
        try:
            for call in one.calls:
                self._take(call, one.place, file)
        except Unreadable as error:
            self._reject(Piece(one.place, one.kind), file, error.message, one.form)
            return
        except MISSHAPEN:
            self._reject(Piece(one.place, one.kind), file, SHAPE, one.form)
            return
        self._counts.skipped += one.skipped
        if one.reason:
            self._reject(Piece(one.place, one.kind), file, one.reason, one.form)

    def _take(self, call: Drafted | Half, place: int, file: str) -> None:
        if isinstance(call, Half):
            other = self._halves.match(call)
            if other is None:
                if not self._halves.wait(Waiting(call, file, place)):
                    raise Unreadable("its id occurs twice")
                return
            join = BY_NAME[call.source].join
            assert join is not None
            draft = join(other.half, call) if call.answer else join(call, other.half)
            call = drafted(draft, self._options, self._id)
        self._untimed += not call.timed
        record = named(call, self._into.sealer)
        self._batch.append(record)
        self._batch_bytes += len(record.request) + len(record.response)
        if len(self._batch) >= _BATCH or self._batch_bytes >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            into = self._into
            new = into.shelf.put(self._batch, self._clock(), into.retention_seconds)
            self._counts.new += new
            self._counts.known += len(self._batch) - new
            self._batch, self._batch_bytes = [], 0
        self._rejects.flush()

    def _reject(self, piece: Piece, file: str, reason: str, form: str = "") -> None:
        self._counts.rejected += 1
        self._rejects.add(file, piece, reason, form)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._read, self._counts)

    def _row(self, error: str) -> store.ImportRow:
        return store.ImportRow(
            id=self._id,
            started=self._started,
            ended=self._ended,
            label=self._options.label,
            files=[msgspec.to_builtins(one) for one in self._files],
            error=error,
            **msgspec.structs.asdict(self._counts),
        )


def _must_be_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise FileRefused.of(error) from None


def _storage_full(error: Exception) -> StorageFull | None:
    """The error as people should read it, where no room is what it says."""
    cause: Any = error.__cause__ if isinstance(error, FileRefused) else error
    if isinstance(cause, OperationalError) and "disk is full" in str(cause.orig):
        return StorageFull("storage full: the database cannot grow")
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return StorageFull(f"storage full: {cause.filename or 'a file'} could not be written")
    return None
