"""Sessions of the person at this terminal: one for each instance, in a file that only they can read.

While there is one, commands act as that person; the instance's own token is used where there is none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from freehold.settings import environment


class Kept(msgspec.Struct, frozen=True):
    """A session's token, and where it counts."""

    address: str
    token: str


def kept(home: Path) -> Kept | None:
    """The session for the instance in `home`; None where nobody signed in."""
    found = _read().get(str(home.absolute()))
    try:
        return msgspec.convert(found, Kept) if found else None
    except msgspec.ValidationError:
        return None


def keep(home: Path, session: Kept | None) -> None:
    """Remember a session, or with None forget it."""
    from freehold.core.crypto import write_private

    every = _read()
    every.pop(str(home.absolute()), None)
    if session is not None:
        every[str(home.absolute())] = msgspec.to_builtins(session)
    write_private(_file(), json.dumps(every, indent=1).encode())


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _file() -> Path:
    folder = environment.variable("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "freehold" / "sessions.json"
