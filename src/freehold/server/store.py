"""Published snapshots in the database."""

from __future__ import annotations

from sqlalchemy import Connection, select

from freehold.core.errors import NotFound
from freehold.server.tables import published


def latest(connection: Connection, kind: str) -> tuple[int, bytes]:
    """Version and digest of the newest snapshot of a kind; (0, empty) where there is none."""
    query = select(published.c.version, published.c.digest).where(published.c.kind == kind)
    row = connection.execute(query.order_by(published.c.version.desc()).limit(1)).first()
    return (row.version, row.digest) if row else (0, b"")


def content(connection: Connection, kind: str, version: int) -> bytes:
    """What a version said. Raises NotFound."""
    query = select(published.c.content).where(published.c.kind == kind, published.c.version == version)
    found = connection.scalar(query)
    if found is None:
        raise NotFound(f"there is no version {version} of {kind}")
    return bytes(found)


def keep(connection: Connection, kind: str, version: int, made_at: float, digest: bytes, content: bytes) -> None:
    """Write down a new version."""
    values = {"kind": kind, "version": version, "made_at": made_at, "digest": digest, "content": content}
    connection.execute(published.insert().values(**values))
