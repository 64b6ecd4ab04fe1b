"""Browsers at the console in the database. Every function takes an open connection."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, select, update

from freehold.identity.console.tables import console_links, console_sessions
from freehold.identity.console.types import Link, Session, Standing


def add_link(connection: Connection, link: Link) -> None:
    """Store a link, and drop those that are over."""
    connection.execute(delete(console_links).where(console_links.c.expires_at <= link.made_at))
    connection.execute(
        console_links.insert().values(
            digest=link.digest,
            kind=link.standing.kind,
            subject=link.standing.subject,
            made_at=link.made_at,
            expires_at=link.expires_at,
        )
    )


def take_link(connection: Connection, digest: bytes) -> Link | None:
    """The link of a digest, which is used up by this."""
    mine = console_links.c.digest == digest
    row = connection.execute(select(console_links).where(mine)).mappings().first()
    if row is None or connection.execute(delete(console_links).where(mine)).rowcount != 1:
        return None
    return Link(row["digest"], Standing(row["kind"], row["subject"]), row["made_at"], row["expires_at"])


def add(connection: Connection, session: Session) -> None:
    """Store a session."""
    names = ("digest", "id", "agent", "made_at", "seen_at", "expires_at", "ended_at")
    values = {name: getattr(session, name) for name in names}
    standing = {"kind": session.standing.kind, "subject": session.standing.subject}
    connection.execute(console_sessions.insert().values(**values, **standing))


def by_digest(connection: Connection, digest: bytes) -> Session | None:
    """The session of a token's digest, whether or not it still counts."""
    row = connection.execute(select(console_sessions).where(console_sessions.c.digest == digest)).mappings().first()
    return _session(row) if row else None


def lasting(connection: Connection, now: float) -> tuple[Session, ...]:
    """Sessions that are not over, newest first."""
    mine = console_sessions.c.ended_at.is_(None) & (console_sessions.c.expires_at > now)
    rows = connection.execute(select(console_sessions).where(mine).order_by(console_sessions.c.made_at.desc()))
    return tuple(_session(row) for row in rows.mappings())


def seen(connection: Connection, digest: bytes, now: float) -> None:
    """Note that a session was used."""
    connection.execute(update(console_sessions).where(console_sessions.c.digest == digest).values(seen_at=now))


def end(connection: Connection, name: str, now: float) -> bool:
    """End a session by its id; False where none of that id lasts."""
    mine = (
        (console_sessions.c.id == name) & console_sessions.c.ended_at.is_(None) & (console_sessions.c.expires_at > now)
    )
    return connection.execute(update(console_sessions).where(mine).values(ended_at=now)).rowcount > 0


def forget(connection: Connection, before: float) -> None:
    """Drop sessions that expired before a time."""
    connection.execute(delete(console_sessions).where(console_sessions.c.expires_at < before))


def _session(row: RowMapping) -> Session:
    values = {name: value for name, value in row.items() if name not in ("kind", "subject")}
    return Session(**values, standing=Standing(row["kind"], row["subject"]))
