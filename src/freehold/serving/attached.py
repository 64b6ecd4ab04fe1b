"""The engines of `[engines]`, inside `up`: one keeper each, and the two files that say what they serve and how.

Nothing of an engine is remembered here: each look compares what it lists with what is wanted of it, so a restart of
it or of us is made good by the next one.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from freehold.core.crypto import write_private
from freehold.core.process import Log, Supervisor
from freehold.registry.artefacts import Store
from freehold.serving.attachments import FILE, TARGETS, Attachment
from freehold.serving.keeper import Keeper, Parts


class Attached:
    """Make it and run it in the supervisor's loop."""

    def __init__(
        self, home: Path, supervisor: Supervisor, store: Store, attachments: tuple[Attachment, ...], log: Log
    ) -> None:
        self._home = home
        parts = Parts(home, store, supervisor, log)
        self._keepers = [Keeper(parts, one, self.write) for one in attachments]
        self._written: dict[str, object] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        self.write()
        try:
            await asyncio.gather(*(one.run() for one in self._keepers))
        finally:
            # The targets stay: routes must not change while the gateway ends its calls. `up` forgets them at its start.
            (self._home / "run" / FILE).unlink(missing_ok=True)

    def write(self) -> None:
        """Both files, where they would say something new."""
        targets = tuple(each for one in self._keepers for each in one.targets())
        seen = tuple(one.seen() for one in self._keepers)
        for name, value in ((TARGETS, tuple(sorted(targets, key=lambda one: one.name))), (FILE, seen)):
            if self._written.get(name) != value:
                write_private(self._home / "run" / name, msgspec.json.encode(value))
                self._written[name] = value
