"""The file a replica joins with, and what it leaves in the replica's home.

It holds secrets, the replica's token and the instance's data key: whoever has it may serve calls and open bodies.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from freehold.core.crypto import write_private
from freehold.core.errors import BadConfig, Conflict

FILE = "replica.json"
_FORMAT = 1
_OF_PRIMARIES = ("freehold.db", "identity.key")


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica knows of its primary."""

    replica: str
    """Its name there."""
    dock: str
    """HOST:PORT of the primary's dock."""
    token: str
    certificate: str
    """The dock's own, in PEM: no other is believed."""
    identity: bytes
    """The public key that snapshots are signed with."""
    data_key: bytes
    """What bodies are sealed with."""
    format: int = _FORMAT

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the dock."""
        host, _, port = self.dock.rpartition(":")
        return host.strip("[]"), int(port)


def write_joining(path: Path, joining: Joining) -> None:
    """Write a file to join with, readable by its owner alone."""
    write_private(path, msgspec.json.format(msgspec.json.encode(joining), indent=2) + b"\n")


def read_joining(path: Path) -> Joining:
    """Raises BadConfig where it is none, OSError where it cannot be read."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Joining)
        known = found.format == _FORMAT and len(found.identity) == len(found.data_key) == 32 and found.address[1] > 0
    except (msgspec.MsgspecError, ValueError):
        known = False
    if not known:
        hint = "make one at the primary: freehold replicas add NAME --out FILE"
        raise BadConfig(f"{path} is no file to join with", hint=hint)
    return found


def replica_of(home: Path) -> Joining | None:
    """What a replica's home says of its primary; None for any other home."""
    path = home / FILE
    return read_joining(path) if path.exists() else None


def join(home: Path, file: Path) -> Joining:
    """Make `home` a replica's. Doing it again changes the token only.

    Raises BadConfig; Conflict where the home is a primary's, or a replica's of another primary.
    """
    found, before = read_joining(file), replica_of(home)
    data_key = home / "data.key"
    begun = data_key.exists() and data_key.read_bytes() == found.data_key  # and ended before it was whole
    if before is None and (any((home / one).exists() for one in _OF_PRIMARIES) or (data_key.exists() and not begun)):
        hint = "give the replica a folder of its own: --home FOLDER"
        raise Conflict(f"{home} holds an instance of its own", hint=hint)
    if before is not None and (before.identity, before.data_key) != (found.identity, found.data_key):
        hint = "give the replica a folder of its own: --home FOLDER"
        raise Conflict(f"{home} is a replica of another instance", hint=hint)
    write_private(data_key, found.data_key)
    write_joining(home / FILE, found)
    return found
