"""Makes signed snapshots out of settings and database. Versions only grow; the same content is not published twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine

from freehold.assurance.errata.patches import patched
from freehold.core.clock import Clock
from freehold.core.crypto import Identity, sha256
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature
from freehold.core.snapshot import read_snapshot, write_snapshot
from freehold.gateway.routing.types import Routes
from freehold.identity import store as keys_store
from freehold.identity.keys import Key, snapshot
from freehold.identity.people import break_glass
from freehold.identity.people import store as people_store
from freehold.identity.replicas import store as replicas
from freehold.identity.types import Grant
from freehold.moves import store as moves_store
from freehold.moves.influence import influenced
from freehold.moves.types import Move
from freehold.policy.targets import Target
from freehold.policy.types import Budget
from freehold.server import store
from freehold.settings import compile as compiled
from freehold.settings.tree import Settings
from freehold.workflows.store import any_workflow

KINDS = ("policy", "workflows", "routes", "keys")
"""In the order they are written: nothing names what another kind does not have yet."""


class Facts(msgspec.Struct, frozen=True):
    """What is true beside the settings: where the embedded models answer now, and what vendors' lists say."""

    owned: Callable[[], Sequence[Target]]
    list_price: compiled.ListPrice = compiled.no_price


class Publisher:
    """Publishes to one instance's snapshot folder."""

    def __init__(self, engine: Engine, home: Path, identity: Identity, clock: Clock, facts: Facts) -> None:
        self._engine = engine
        self._folder = home / "snapshots"
        self._identity = identity
        self._clock = clock
        self._facts = facts

    def routes(self, settings: Settings, moves: Sequence[Move] = ()) -> Routes:
        """The routes that settings lead to now, under the influence of the moves under way."""
        routes = influenced(compiled.routes(settings, self._facts.owned(), self._facts.list_price), moves)
        kinds = {name: one.vendor or "" for name, one in settings.providers.items()}
        kinds |= {name: one.kind for name, one in settings.engines.items()}
        return patched(routes, {one.name: kinds[one.provider] for one in routes.targets if one.provider in kinds})

    def versions(self) -> dict[str, int]:
        """The version of every kind that was published last; 0 where none was."""
        with reading(self._engine) as connection:
            return {kind: store.latest(connection, kind)[0] for kind in KINDS}

    def publish(self, settings: Settings) -> dict[str, int]:
        """Write down and out what changed; returns the version of every kind."""
        with writing(self._engine) as connection:
            versions = self.record(connection, settings)
        self.write_out()
        return versions

    def record(self, connection: Connection, settings: Settings) -> dict[str, int]:
        """Write down what changed, as part of a transaction that holds the write lock; `write_out` comes after it."""
        keys = keys_store.everything(connection)
        policy = compiled.policy(settings, [one for key in keys for one in key_budgets(key)])
        contents: dict[str, object] = {
            "policy": policy,
            "routes": self.routes(settings, moves_store.active(connection)),
            "keys": snapshot(
                keys,
                _owned(keys, policy.budgets),
                self._clock(),
                self._grants(connection),
                _priorities(settings),
                1 + replicas.count(connection),
            ),
        }
        known = self._workflows(connection)
        if known is not None:
            contents["workflows"] = known
        return {kind: self._record(connection, kind, contents[kind]) if kind in contents else 0 for kind in KINDS}

    def _grants(self, connection: Connection) -> Mapping[str, tuple[Grant, ...]]:
        now = self._clock()
        return break_glass.grants(people_store.every_break_glass(connection, now - break_glass.LONGEST_SECONDS), now)

    def _workflows(self, connection: Connection) -> object | None:
        """What calls are assigned by; None where no workflow was ever found, so that nobody loads what it needs."""
        if not any_workflow(connection):
            return None
        from freehold.workflows.publish import content  # brings numpy along

        return content(connection)

    def write_out(self) -> None:
        """Make the files say what is written down. Under the write lock, so that no older version wins a race."""
        with writing(self._engine) as connection:
            for kind in KINDS:
                version, _ = store.latest(connection, kind)
                if version and self._on_file(kind) != version:
                    content = msgspec.Raw(store.content(connection, kind, version))
                    write_snapshot(self._folder, kind, version, self._clock(), content, self._identity)

    def _record(self, connection: Connection, kind: str, content: object) -> int:
        raw = msgspec.msgpack.encode(content)
        digest = sha256(raw)
        version, before = store.latest(connection, kind)
        on_file = self._on_file(kind)
        if digest != before or on_file > version:
            version = max(version, on_file) + 1
            store.keep(connection, kind, version, self._clock(), digest, raw)
        return version

    def _on_file(self, kind: str) -> int:
        try:
            return read_snapshot(self._folder, kind, msgspec.Raw, self._identity)[0]
        except (FileNotFoundError, BadSignature, msgspec.MsgspecError):
            return 0


def key_budgets(key: Key) -> list[Budget]:
    """The budget a key was made with."""
    if key.budget is None:
        return []
    return [Budget(id=f"key/{key.name}", limit=key.budget, period=key.period)]


def _owned(keys: Sequence[Key], budgets: Sequence[Budget]) -> dict[str, tuple[str, ...]]:
    """Ids of the budgets of each key and each of their teams."""
    owners = {f"key/{key.name}" for key in keys} | {f"team/{key.team}" for key in keys}
    return {owner: compiled.owned_by(owner, budgets) for owner in owners}


def _priorities(settings: Settings) -> dict[str, str]:
    """The class of each team's calls."""
    return {name: one.priority for name, one in settings.teams.items()}
