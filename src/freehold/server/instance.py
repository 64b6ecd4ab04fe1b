"""What the management API works on: one running instance, with the settings in force and the parts behind ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine

from freehold.core.clock import Clock
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import reading, writing
from freehold.core.ids import IdMaker
from freehold.ledger.audit.salts import Salts
from freehold.moves.remembered import Remembered
from freehold.server.publish import Publisher
from freehold.settings.bodies import bodies_of
from freehold.settings.load import Loaded
from freehold.settings.problems import InvalidConfig
from freehold.settings.tree import Settings

READ_AT_START = (
    "instance", "gateway", "admin", "batches", "bodies", "capture", "dock", "engines", "serving", "valkey"
)  # fmt: skip


class Audit(Protocol):
    """Writes down who changed what, inside the transaction of the change."""

    def __call__(self, connection: Connection, at: float, kind: str, actor: str, content: dict[str, object]) -> None:
        """`kind` is `noun.verb`; `content` holds plain JSON values and no secret."""


class Instance:
    """Everything an endpoint may ask for."""

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        loaded: Loaded,
        publisher: Publisher,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self.engine = engine
        self.identity = identity
        self.sealer = Sealer.load(loaded.home / "data.key")
        self.bodies = bodies_of(loaded.settings, loaded.home, self.sealer)
        self.publisher = publisher
        self.clock = clock
        self.new_id = IdMaker(clock)
        self.random: Callable[[int], bytes] = os.urandom
        self.remembered = Remembered()
        self.started = loaded.settings
        self.loaded = loaded
        self.problems: InvalidConfig | None = None
        self.versions: dict[str, int] = publisher.versions()
        self._audit = audit

    @property
    def home(self) -> Path:
        """The instance's folder."""
        return self.loaded.home

    @property
    def salts(self) -> Salts:
        """What receipts are made with; made anew for each, since keys are destroyed."""
        return Salts(self.home, self.sealer)

    @property
    def settings(self) -> Settings:
        """The settings in force: the last that were valid."""
        return self.loaded.settings

    @property
    def restart_needed(self) -> tuple[str, ...]:
        """Tables that were changed since the start and are read at the start only."""
        now, then = self.loaded.settings, self.started
        return tuple(name for name in READ_AT_START if _at_start(now, name) != _at_start(then, name))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the database."""
        with reading(self.engine) as connection:
            yield connection

    @contextmanager
    def changing(self, actor: str, kind: str, content: dict[str, object]) -> Iterator[Connection]:
        """One audited change, published to the data plane when it is committed.

        `content` may be filled in while the change is made; it is written down at its end.
        """
        with writing(self.engine) as connection:
            yield connection
            self._audit(connection, self.clock(), kind, actor, content)
            self.versions = self.publisher.record(connection, self.settings)
        self.publisher.write_out()

    @contextmanager
    def noting(self, actor: str, kind: str, content: dict[str, object]) -> Iterator[Connection]:
        """One audited change of what the data plane is not told of. `content` may be filled in meanwhile."""
        with writing(self.engine) as connection:
            yield connection
            self._audit(connection, self.clock(), kind, actor, content)

    def note(self, actor: str, kind: str, content: dict[str, object]) -> None:
        """Write down what somebody did that changes nothing here."""
        with self.noting(actor, kind, content):
            pass

    def adopt(self, loaded: Loaded, actor: str) -> None:
        """Put new settings in force and publish them."""
        before = self.loaded
        self.loaded = loaded
        self.problems = None
        file = str(loaded.file) if loaded.file else ""
        try:
            with self.changing(actor, "config.reload", {"file": file}):
                pass
        except BaseException:
            self.loaded = before
            raise


def _at_start(settings: Settings, table: str) -> object:
    """What of a table is read at the start only: the prices in [serving] and `bodies` are taken in at once."""
    unpriced: dict[str, object] = {"prices": {}, "trained_price": None}
    if table == "capture":
        return settings.capture.model_copy(update={"bodies": False})
    return settings.serving.model_copy(update=unpriced) if table == "serving" else getattr(settings, table)
