"""Loads journals into SQL: a batch of frames is one transaction with the position it reaches.

So `kill -9` at any point loses nothing and doubles nothing. After any error a new `Loader` must be made: what this
one holds in memory may be ahead of what was committed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine

from freehold.core.clock import Clock
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import harden, reading, writing
from freehold.core.log import Log
from freehold.ledger import receipts
from freehold.ledger import store as records_store
from freehold.ledger.audit import note, tiles
from freehold.ledger.audit import store as audit_store
from freehold.ledger.audit.merkle import leaf_hash
from freehold.ledger.audit.subjects import Known, Subjects
from freehold.ledger.capture import Bodies
from freehold.ledger.findings import store as findings
from freehold.ledger.findings.rollup import by_hour as findings_by_hour
from freehold.ledger.frames import Body
from freehold.ledger.intake import store, tail
from freehold.ledger.intake.facts import FactsReader
from freehold.ledger.intake.join import Join
from freehold.ledger.intake.rollup import by_hour
from freehold.ledger.intake.rows import Loadable, Row, ended_rows, refused_rows, subject_of
from freehold.ledger.journal import LOST
from freehold.ledger.retention import Retention

_QUEUE_BATCH = 200


class Keys(msgspec.Struct, frozen=True):
    """The installation's secrets that loading needs."""

    identity: Identity
    sealer: Sealer


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and how often. Seconds and bytes."""

    batch_bytes: int = 512 << 10
    checkpoint_seconds: float = 0.5
    retention_seconds: float = 30 * 86400.0
    retention_classes: tuple[tuple[str, float], ...] = ()
    """Other terms by level or regime, see `Retention`."""


class _Epoch:
    """Where one epoch stands."""

    __slots__ = ("folder", "join", "name", "offset", "segment")

    def __init__(self, folder: Path, position: tuple[int, int], join: Join) -> None:
        self.folder = folder
        self.name = folder.name
        self.segment, self.offset = position
        self.join = join


class Loader:
    """One life of the loading side; the only writer of calls, usage and the audit tree."""

    def __init__(self, home: Path, engine: Engine, keys: Keys, clock: Clock, pace: Pace = Pace()) -> None:  # noqa: B008  # frozen
        self._journal = home / "journal"
        self._quarantine = home / "quarantine" / "journal"
        self._log = Log("writer", clock=clock)
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._pace = pace
        self._bodies = Bodies(home / "bodies", keys.sealer)
        self._facts = FactsReader(home / "snapshots", keys.identity)
        self._subjects = Subjects(home / "subjects", keys.sealer)
        self._known = Known(self._subjects)
        self._epochs: dict[str, _Epoch] = {}
        with reading(engine) as connection:
            self._positions = store.read_positions(connection)
            self._tree = audit_store.read_tree(connection)
            self._signed, self._signed_at = audit_store.last_checkpoint(connection)

    def load(self, *, careful: bool = False) -> int:
        """Load one batch of every epoch; how many frames. `careful` looks each call up before storing it.

        Raises IntegrityError where a call is stored already and `careful` is not set.
        """
        self._facts.refresh()
        done = 0
        for name in tail.epochs_in(self._journal):
            done += self._load_epoch(self._epoch(name), careful)
        return done

    def tend(self, *, final: bool = False) -> None:
        """What is due without frames: queued changes, a checkpoint, leases of epochs that left no folder.

        `final` signs what is there, however young the last checkpoint is.
        """
        with reading(self._engine) as connection:
            waiting = audit_store.queued(connection, _QUEUE_BATCH)
            gone = store.leased_epochs(connection) - set(tail.epochs_in(self._journal))
        if not waiting and not gone and not self._checkpoint_due(final):
            return
        with writing(self._engine) as connection:
            if waiting:
                self._take(connection, waiting)
            for epoch in gone:
                store.close_epoch(connection, epoch)
            self._checkpoint(connection, final=final)

    def live_segments(self) -> list[Path]:
        """Files that are not wholly in the tables; who wants them on disk flushes these."""
        return [path for one in self._epochs.values() for path in tail.open_segments(one.folder, one.segment)]

    def _epoch(self, name: str) -> _Epoch:
        found = self._epochs.get(name)
        if found is None:
            folder = self._journal / name
            with reading(self._engine) as connection:
                logged = audit_store.logged_intents(connection, name)
                join = Join(store.read_pending(connection, name), logged)
            position = self._positions.get(name) or (tail.first_segment(folder), 0)
            found = self._epochs[name] = _Epoch(folder, position, join)
        return found

    def _load_epoch(self, epoch: _Epoch, careful: bool) -> int:
        seen = tail.look(epoch.folder, epoch.segment, epoch.offset, self._pace.batch_bytes)
        if not seen.frames and not seen.strange and not seen.finished and seen.segment == epoch.segment:
            return 0
        if seen.strange:
            self._set_aside(epoch, seen)
        joined = epoch.join.feed(seen.frames)
        ended = joined.ended + (epoch.join.abandon() if seen.finished else [])
        loadable = [ended_rows(one, epoch.name, self._facts.at) for one in ended]
        loadable += [refused_rows(one, epoch.name) for one in joined.refused]
        # A close without an opening is a duplicate of a call that is stored, or the last trace of one.
        careful = careful or any(one.begun is None for one in ended)
        with ExitStack() as held:
            if joined.bodies:
                held.enter_context(self._bodies.exclusive())
            if loadable or joined.bodies:
                held.enter_context(self._subjects.exclusive())
            connection = held.enter_context(writing(self._engine))
            self._keep(connection, epoch, joined.bodies, loadable)
            self._store(connection, epoch, loadable, careful)
            store.write_pending(connection, epoch.name, *epoch.join.unstored())
            store.write_position(connection, epoch.name, seen.segment, seen.offset)
            if seen.finished:
                store.close_epoch(connection, epoch.name, lost=(epoch.folder / LOST).exists())
            self._checkpoint(connection)
        old = epoch.segment
        epoch.segment, epoch.offset = seen.segment, seen.offset
        if seen.finished or seen.segment != old:
            self._clear(epoch, seen.finished)
        return len(seen.frames) + len(seen.strange)

    def _set_aside(self, epoch: _Epoch, seen: tail.Reading) -> None:
        """Frames of another version must not stop the rest: they are kept for it, and passed over."""
        kept = tail.set_aside(epoch.folder, seen.segment, self._quarantine)
        self._log.error("frames not understood", count=len(seen.strange), reason=seen.strange[0], kept=kept)

    def _store(self, connection: Connection, epoch: _Epoch, loadable: list[Loadable], careful: bool) -> None:
        if careful:
            taken = store.existing(connection, [one.call["id"] for one in loadable])
            loadable = [one for one in _once(loadable) if one.call["id"] not in taken]
        if not loadable:
            return
        leaf = self._tree.size
        hashes: list[bytes] = []
        calls: list[Row] = []
        attempts: list[Row] = []
        known = self._known.of(one.subject for one in loadable)
        for at, one in enumerate(loadable, leaf):
            one.call["subject"], secret = known[one.subject]
            salt = receipts.call_salt(secret, one.call["id"])
            hashes.append(leaf_hash(receipts.entry_of(receipts.statement_of(one.call, one.attempts), salt)))
            one.call["leaf"] = at
            calls.append(one.call)
            for row in one.attempts:
                row["leaf"] = at
                attempts.append(row)
        store.insert_calls(connection, calls)
        store.insert_attempts(connection, attempts)
        store.add_usage(connection, by_hour(calls))
        findings.add(connection, findings_by_hour(calls))
        spending = store.spending_of((one.budgets, one.cost) for one in loadable if one.budgets)
        store.settle(connection, epoch.name, spending)
        self._grow(connection, hashes)

    def _keep(self, connection: Connection, epoch: _Epoch, bodies: list[Body], loadable: list[Loadable]) -> None:
        if not bodies:
            return
        whom = {one.call["id"]: one.subject for one in loadable}
        for opened in epoch.join.opened(one.call for one in bodies):
            whom[opened.call] = subject_of(opened.subject, opened.team, opened.key_id)
        known = self._known.of(whom[one.call] for one in bodies if one.call in whom)
        late = store.subjects_of(connection, [one.call for one in bodies if one.call not in whom])
        names = {call: known[one][0] for call, one in whom.items() if one in known} | late
        seconds = Retention(self._pace.retention_seconds, self._pace.retention_classes).seconds
        kept = [self._bodies.keep(one, seconds(one.label), names.get(one.call, "")) for one in bodies]
        records_store.insert_bodies(connection, kept)

    def _take(self, connection: Connection, waiting: list[tuple[int, float, str, str, str]]) -> None:
        first = self._tree.size
        hashes = []
        for leaf, (_, at, kind, actor, content) in enumerate(waiting, first):
            salt = receipts.change_salt(self._keys.sealer, leaf)
            hashes.append(leaf_hash(receipts.entry_of(receipts.change_of(at, kind, actor, content), salt)))
        audit_store.take(connection, first, waiting)
        self._grow(connection, hashes)

    def _grow(self, connection: Connection, hashes: list[bytes]) -> None:
        self._tree, changed = tiles.grow(self._tree, hashes)
        audit_store.write_tiles(connection, changed)

    def _checkpoint_due(self, final: bool) -> bool:
        old = final or self._clock() - self._signed_at >= self._pace.checkpoint_seconds
        return old and (self._tree.size > self._signed or any(one.join.has_intents for one in self._epochs.values()))

    def _intents(self, connection: Connection) -> None:
        """What is open when a checkpoint is made stands in the tree: if its outcome never comes, that shows."""
        opened = [found for one in self._epochs.values() for found in one.join.intents()]
        if opened:
            # A journal that is read again, since a backup was restored, tells of intents that stand there.
            there = audit_store.having_intents(connection, [one.call for one in opened])
            opened = [one for one in opened if one.call not in there]
        if opened:
            rows = audit_store.intent_rows(self._tree.size, opened)
            salts = [receipts.intent_salt(self._keys.sealer, one["call"]) for one in rows]
            said = zip(rows, salts, strict=True)
            hashes = [leaf_hash(receipts.entry_of(receipts.intent_of(row), salt)) for row, salt in said]
            audit_store.insert_intents(connection, rows)
            self._grow(connection, hashes)

    def _checkpoint(self, connection: Connection, *, final: bool = False) -> None:
        if not self._checkpoint_due(final):
            return
        self._intents(connection)
        now, identity, size = self._clock(), self._keys.identity, self._tree.size
        root = tiles.root(self._tree)
        before = audit_store.kept_before(connection, now)
        text = note.sign(note.Checkpoint(note.origin_of(identity), size, root, now, before), identity)
        audit_store.write_checkpoint(connection, size, now, root, text)
        self._signed, self._signed_at = size, now

    def _clear(self, epoch: _Epoch, finished: bool) -> None:
        """Delete journal files that are wholly in the tables, once the tables would survive a power cut."""
        harden(self._engine)
        if finished:
            tail.remove(epoch.folder)
            with writing(self._engine) as connection:
                store.forget_position(connection, epoch.name)
            del self._epochs[epoch.name]
            self._positions.pop(epoch.name, None)
        else:
            for path in tail.loaded_segments(epoch.folder, epoch.segment):
                path.unlink(missing_ok=True)


def _once(loadable: list[Loadable]) -> list[Loadable]:
    return list({one.call["id"]: one for one in reversed(loadable)}.values())[::-1]


def alone(home: Path) -> int:
    """Take the lock that makes this process the only writer; the handle that holds it. Raises BlockingIOError."""
    path = home / "run" / "writer.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle
