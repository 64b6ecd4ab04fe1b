"""The tables of browsers at the console. They hold digests only."""

from __future__ import annotations

from sqlalchemy import Column, Double, LargeBinary, String, Table

from freehold.core.db import metadata

console_links = Table(
    "console_links",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("agent", LargeBinary(32), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("ended_at", Double),
)
