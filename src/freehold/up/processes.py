"""The processes of an instance as the supervisor runs them: each a role of `freehold.app`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from freehold.core.process import Command, Probe
from freehold.core.restart import Rules
from freehold.settings.data_plane import DataPlane
from freehold.settings.environment import with_overrides, with_path

GRACE_SECONDS = 35.0
"""Between the polite signal and the kill: a gateway lets calls finish for 30 s."""


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes of one start share."""

    home: Path
    options: tuple[str, ...]
    ports: dict[str, int]
    """By table of the settings; they take the place of what the file says."""
    plane: DataPlane
    """The copy of the sources that gateways run from."""

    def command(self, name: str, role: str, drain: int, probe: Probe | None) -> Command:
        """The command of one process; `drain` is when it ends, lower is earlier."""
        env = with_overrides({(table, "port"): port for table, port in self.ports.items()})
        if role == "gateway" and self.plane.copy is not None:
            env = tuple(with_path(dict(env), self.plane.copy, first=self.plane.compiled).items())
        return Command(
            name=name,
            argv=(sys.executable, "-m", "freehold.app", role, *self.options),
            env=env,
            log=self.home / "logs" / f"{name}.log",
            probe=probe,
            drain=drain,
            rules=Rules(grace=GRACE_SECONDS),
        )
