"""The service key: what Freehold's own rooms (evaluations, shadows) call the gateway with.

One an instance, made or renewed by `up`; its secret lies in a private file of the running instance. It may name any
target as `target:NAME`, and must state the label of what it sends.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.core.errors import Conflict, NotFound
from freehold.core.label import PUBLIC
from freehold.identity import store
from freehold.identity.keys import Key, Secret, digest_of, mint, state
from freehold.identity.lifecycle import Random
from freehold.identity.types import SERVICE

KEY_ID = "key_freehold"
"""Its id: calls by it are Freehold's own, not an application's."""
NAME = "freehold"
_KEY = Key(id=KEY_ID, name=NAME, team="freehold", role=SERVICE, label=PUBLIC, created_by="up")


def service_key(home: Path) -> str:
    """The secret of a running instance's service key. Raises NotFound."""
    try:
        return _file(home).read_text().strip()
    except FileNotFoundError:
        raise NotFound("this instance has no service key", hint="start it with: freehold up") from None


def renew(connection: Connection, home: Path, now: float, random: Random) -> bool:
    """See to it that the file opens the service key; True where a new secret was made.

    A secret that still opens it stays. What an operator set on the key (a budget, limits) stays; a revoked key comes
    back with a new secret, so revoking and starting again replaces one that leaked.
    """
    try:
        held = store.by_digest(connection, digest_of(service_key(home)))
    except NotFound:
        held = None
    if held is not None and held.id == KEY_ID and _opens(held, digest_of(service_key(home)), now):
        return False
    minted = mint(random)
    secret = Secret(minted.digest, minted.prefix, now)
    try:
        key = store.by_name(connection, KEY_ID)
    except NotFound:
        _add(connection, replace(_KEY, created_at=now, secrets=(secret,)), random)
    else:
        if key.revoked_at is not None:
            store.replace(connection, replace(key, revoked_at=None))
        store.end_secrets(connection, KEY_ID, now)
        store.add_secret(connection, KEY_ID, secret)
    _write(_file(home), minted.secret)
    return True


def _opens(key: Key, digest: bytes, now: float) -> bool:
    ends = [one.until for one in key.secrets if one.digest == digest]
    return state(key, now) == "active" and any(until is None or until > now for until in ends)


def _add(connection: Connection, key: Key, random: Random) -> None:
    """Under its name, or another where somebody has a key of that name."""
    try:
        store.add(connection, key)
    except Conflict:
        store.add(connection, replace(key, name=f"{NAME}/{random(4).hex()}"))


def _file(home: Path) -> Path:
    return home / "run" / "service.key"


def _write(path: Path, secret: str) -> None:
    """Replace the file whole; it is private to its user from its first byte."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")
    temporary.replace(path)
