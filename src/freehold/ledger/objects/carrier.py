"""Ships bodies to the object store, in the writer's process but in threads beside its work: it waits for no answer.

A file goes from the folder once the store has confirmed it, so whatever is killed the next round ships it again. While
the store is away the folder grows, up to its bound. How it stands is written down for doctor and metrics.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from freehold.core.clock import Clock
from freehold.core.crypto import write_private
from freehold.core.errors import BadSignature, FreeholdError
from freehold.core.log import Log
from freehold.ledger.capture import Bodies

FILE = "bodies.json"
_LOOK_SECONDS = 1.0
_LONGEST_PAUSE = 30.0
_HANDS = 8
"""Threads that ship at once: they wait for the store."""
_TURN = 64
"""Files between which who erases may have its turn."""
_ROUND = 4096
"""Files between two looks at how many wait."""
_NAME = re.compile(r"[0-9a-f]{64}\Z")


class Plan(msgspec.Struct, frozen=True):
    """How long a body stays in the folder, where it is read without asking anybody, and how many bytes may wait."""

    after_seconds: float = 10.0
    bound_bytes: int = 10 << 30


class Shipped(msgspec.Struct, frozen=True):
    """How shipping stood at a moment. Counts and bytes of what waits, damaged ones too."""

    url: str
    at: float = 0.0
    waiting: int = 0
    bytes: int = 0
    full: bool = False
    error: str = ""
    strange: int = 0
    """Files whose name belongs to something else in the store; they stay here."""


class Carrier:
    """A service of the writer."""

    def __init__(self, bodies: Bodies, url: str, plan: Plan, clock: Clock, erase: Callable[[], None]) -> None:
        """`erase` completes erasures that the store kept waiting."""
        self._bodies = bodies
        self._path = bodies.folder.parent / "run" / FILE
        self._plan = plan
        self._clock = clock
        self._erase = erase
        self._log = Log("writer", clock=clock)
        self._stood = Shipped(url)
        self._strange: set[str] = set()
        self._stop = threading.Event()

    async def serve(self) -> None:
        """Ship until cancelled. What is under way then is shipped again by the next."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while thread.is_alive():  # noqa: ASYNC110  # a thread that may hang in a socket has no event to wait for
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._stop.set()

    def _run(self) -> None:
        pause = _LOOK_SECONDS
        while not self._stop.wait(pause):
            stood = self.round()
            pause = min(pause * 2, _LONGEST_PAUSE) if stood.error else _LOOK_SECONDS

    def round(self) -> Shipped:
        """Ship what is due; how it stands then."""
        url = self._stood.url
        error = self._try()
        while not error and not self._stop.is_set():
            due = [path for path, info in self._waiting() if self._due(path, info)][:_ROUND]
            if not due:
                break
            try:
                error = self._ship(due)
            except FreeholdError as found:
                error = found.message
        waiting = [info.st_size for _, info in self._waiting()]
        full = sum(waiting) >= self._plan.bound_bytes
        stood = Shipped(url, self._clock(), len(waiting), sum(waiting), full, error, len(self._strange))
        self._tell(stood)
        return stood

    def _try(self) -> str:
        try:
            self._erase()
        except FreeholdError as found:
            return found.message
        return ""

    def _due(self, path: Path, info: os.stat_result) -> bool:
        age = self._clock() - info.st_mtime
        return path.name not in self._strange and (age >= self._plan.after_seconds or age < 0)

    def _ship(self, due: list[Path]) -> str:
        """What went wrong, empty where nothing did. Raises StoreAway where bodies lie in another store."""
        errors: list[str] = []
        for first in range(0, len(due), _TURN):
            left = deque(due[first : first + _TURN])
            with self._bodies.shipping():
                self._bodies.begin_shipping()
                hands = [threading.Thread(target=self._hand, args=(left, errors), daemon=True) for _ in range(_HANDS)]
                for one in hands:
                    one.start()
                for one in hands:
                    one.join()
            if errors or self._stop.is_set():
                break
            time.sleep(0)  # who waits for the lock has its turn
        return errors[0] if errors else ""

    def _hand(self, left: deque[Path], errors: list[str]) -> None:
        while left and not errors and not self._stop.is_set():
            try:
                path = left.popleft()
            except IndexError:
                return
            try:
                self._bodies.ship(path)
            except BadSignature:
                self._strange.add(path.name)
                self._log.error("the object store holds something else by a body's name", name=path.name)
            except FreeholdError as error:
                errors.append(error.message)
            except OSError as error:
                errors.append(f"{error.filename or 'a file'}: {error.strerror or error}")

    def _waiting(self) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            folders = [one for one in os.scandir(self._bodies.folder) if len(one.name) == 2 and one.is_dir()]
        except FileNotFoundError:
            return
        for folder in folders:
            for one in os.scandir(folder):
                if _NAME.match(one.name):
                    try:
                        info = one.stat()
                    except FileNotFoundError:
                        continue  # erased meanwhile
                    yield Path(one.path), info

    def _tell(self, stood: Shipped) -> None:
        before, self._stood = self._stood, stood
        self._bodies.fill(full=stood.full)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._path, msgspec.json.encode(stood))
        if stood.error and stood.error != before.error:
            self._log.error("bodies wait for the object store", reason=stood.error, waiting=stood.waiting)
        elif before.error and not stood.error:
            self._log.info("bodies are shipped again", waiting=stood.waiting)
        if stood.full and not before.full:
            self._log.error("the spool of bodies is full: new ones are not kept", bytes=stood.bytes)


def standing(home: Path) -> Shipped | None:
    """How shipping stood last; None where nothing was ever shipped."""
    try:
        return msgspec.json.decode((home / "run" / FILE).read_bytes(), type=Shipped)
    except (OSError, msgspec.MsgspecError):
        return None
