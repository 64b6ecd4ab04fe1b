"""Publishes checkpoints outside, in the writer's process but beside its work: no failure here stops a call.

Each folder has a thread of its own, since a mount that hangs never answers. How it stands is written down for doctor.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from freehold.core.clock import Clock, iso
from freehold.core.crypto import Verifier, write_private
from freehold.core.db import reading
from freehold.core.errors import BadSignature, FreeholdError
from freehold.core.log import Log
from freehold.ledger.audit import merkle, note, outside, store
from freehold.ledger.audit.outside import Published
from freehold.ledger.audit.tiles import nodes_of

FILE = "checkpoints.json"
_LOOK_SECONDS = 5.0
_WAIT_SECONDS = 5.0


class Plan(msgspec.Struct, frozen=True):
    """Where to, and how often."""

    folders: tuple[Path, ...] = ()
    every_seconds: float = 60.0


class Publisher:
    """A service of the writer. `plan` is asked before each round, so that a change of the settings counts at once."""

    def __init__(self, home: Path, engine: Engine, verifier: Verifier, plan: Callable[[], Plan], clock: Clock) -> None:
        self._home = home
        self._engine = engine
        self._verifier = verifier
        self._plan = plan
        self._last = Plan()
        self._clock = clock
        self._log = Log("writer", clock=clock)
        self._standing = {one.folder: one for one in standing(home)}
        self._at_work: dict[str, threading.Thread] = {}

    async def serve(self) -> None:
        """Publish at the plan's pace until cancelled."""
        due: dict[str, float] = {}
        while True:
            plan, now = self._planned(), self._clock()
            waiting = [one for one in plan.folders if now >= due.get(str(one), 0.0)]
            if waiting:
                due |= {str(one): now + plan.every_seconds for one in waiting}
                threads = self._begin(waiting)
                await asyncio.sleep(0)
                for _ in range(int(_WAIT_SECONDS / 0.05)):
                    if not any(one.is_alive() for one in threads):
                        break
                    await asyncio.sleep(0.05)
                self._end(plan.folders)
            elif set(self._standing) - {str(one) for one in plan.folders}:
                self._end(plan.folders)
            await asyncio.sleep(min(_LOOK_SECONDS, plan.every_seconds))

    def round(self) -> None:
        """Publish what is newest now, once: what a stopping writer does last. Waits a few seconds at most."""
        plan = self._planned()
        for one in self._begin(plan.folders):
            one.join(_WAIT_SECONDS)
        self._end(plan.folders)

    def _planned(self) -> Plan:
        """The plan; while it cannot be read the last one holds."""
        with suppress(FreeholdError):
            self._last = self._plan()
        return self._last

    def _begin(self, folders: Sequence[Path]) -> list[threading.Thread]:
        """Start those that are not at work still."""
        begun = []
        for folder in folders:
            before = self._at_work.get(str(folder))
            if before is None or not before.is_alive():
                thread = threading.Thread(target=self._publish, args=(folder,), daemon=True)
                self._at_work[str(folder)] = thread
                thread.start()
                begun.append(thread)
        return begun

    def _end(self, folders: Sequence[Path]) -> None:
        """Write down how each folder stands."""
        now = self._clock()
        for folder in folders:
            name = str(folder)
            thread = self._at_work.get(name)
            if thread is not None and thread.is_alive():
                before = self._standing.get(name, Published(name))
                self._standing[name] = replace(before, tried_at=now, error="it does not answer")
        self._standing = {str(one): self._standing[str(one)] for one in folders if str(one) in self._standing}
        told = list(self._standing.values())
        write_private(self._home / "run" / FILE, msgspec.json.encode(told))

    def _publish(self, folder: Path) -> None:
        name = str(folder)
        before = self._standing.get(name, Published(name))
        try:
            found = publish(self._engine, self._verifier, self._home, folder)
        except BadSignature as error:
            found, told = None, (error.message, True)
        except OSError as error:
            found, told = None, (f"{error.strerror or error}", False)
        except SQLAlchemyError as error:
            found, told = None, (f"the database cannot be read: {type(error).__name__}", False)
        now = self._clock()
        if found is not None:
            at = now if found > before.size or not before.at else before.at
            self._standing[name] = Published(name, found, at, now)
            return
        self._standing[name] = replace(before, tried_at=now, error=told[0], differs=told[1])
        if told[0] != before.error:
            self._log.error("checkpoint not published", folder=name, reason=told[0])


def publish(engine: Engine, verifier: Verifier, home: Path, folder: Path) -> int:
    """Put the newest checkpoint into a folder, if it continues what stands there; the size that stands there now.

    Raises BadSignature where it does not continue it, OSError where the folder takes nothing.
    """
    if folder.resolve().is_relative_to(home.resolve()):
        raise OSError(22, "it lies within the home, so it is not outside")
    before = outside.newest(folder, verifier)
    with reading(engine) as connection:
        newest = store.newest_note(connection)
        if newest is None:
            return 0 if before is None else before.size
        size, text = newest
        now = note.read(text, verifier)
        if before is not None:
            _continues(before, now, lambda: merkle.consistency(nodes_of(store.tiles_in(connection)), before.size, size))
    if before is None or before.size < size:
        with suppress(FileExistsError):  # another publisher was quicker; the next round holds it against the log
            outside.write(folder, verifier, size, text)
    return size


def _continues(before: note.Checkpoint, now: note.Checkpoint, path: Callable[[], Sequence[bytes]]) -> None:
    if before.size > now.size:
        what = f"the log has {now.size} signed leaves, and {before.size} are published"
        raise BadSignature(f"{what}: its end was cut off, or an older state was restored")
    if before.size == now.size and before.root != now.root:
        raise BadSignature(f"another checkpoint of size {now.size} is published: the log was changed")
    try:
        merkle.check_consistency(before.size, now.size, path() if before.size < now.size else (), before.root, now.root)
    except BadSignature:
        what = f"the log does not continue the one of size {before.size} that is published"
        raise BadSignature(f"{what}: it was changed") from None


def standing(home: Path) -> list[Published]:
    """How publishing stands by folder, as last written down."""
    try:
        return msgspec.json.decode((home / "run" / FILE).read_bytes(), type=list[Published])
    except (OSError, msgspec.MsgspecError):
        return []


def told(one: Published) -> dict[str, Any]:
    """As JSON for programs."""
    return {**msgspec.to_builtins(one), "at": iso(one.at) if one.at else None, "tried_at": iso(one.tried_at)}


def line(one: Published) -> str:
    """As a line for people."""
    if one.error:
        return f"outside {one.folder}: not published since size {one.size}: {one.error}"
    return f"outside {one.folder}: size {one.size} since {iso(one.at)}" if one.at else f"outside {one.folder}: nothing"
