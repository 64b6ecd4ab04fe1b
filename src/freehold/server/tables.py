"""The table of published snapshots: what each version said, so that an old call's decision can be explained."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, LargeBinary, String, Table

from freehold.core.db import metadata

published = Table(
    "published",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("made_at", Double, nullable=False),
    Column("digest", LargeBinary(32), nullable=False, doc="SHA-256 of the content."),
    Column("content", LargeBinary, nullable=False, doc="msgpack, as in the snapshot file."),
)
