"""The settings an instance runs by, kept in its home: a process that restarts never needs a file that went bad."""

from __future__ import annotations

from pathlib import Path

from freehold.core.crypto import write_private
from freehold.settings.load import Loaded, load
from freehold.settings.problems import InvalidConfig
from freehold.settings.tree import Settings


def keep(loaded: Loaded) -> None:
    """Write down settings that are now in force."""
    write_private(_file(loaded.home), loaded.settings.model_dump_json().encode())


def in_force(config: str | None, home: Path) -> Loaded:
    """What the file says, or where it is bad what was last in force here. Raises InvalidConfig without either."""
    try:
        return load(config, str(home))
    except InvalidConfig:
        settings = kept(home)
        if settings is None:
            raise
        return Loaded(settings=settings, file=None, places={}, variables={}, home=home)


def kept(home: Path) -> Settings | None:
    """What was last in force here; None where nothing was."""
    try:
        return Settings.model_validate_json(_file(home).read_bytes())
    except (OSError, ValueError):
        return None


def _file(home: Path) -> Path:
    return home / "run" / "settings.json"
