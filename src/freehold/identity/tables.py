"""The tables of identity: keys, and the digests of the secrets that open them."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Integer, LargeBinary, String, Table, Text

from freehold.core.db import metadata

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("team", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("routes", Text, nullable=False, doc="JSON list."),
    Column("label", String(256), nullable=False),
    Column("rights", Text, nullable=False, doc="JSON list."),
    Column("created_at", Double, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("budget", String(64), doc="Dollars as decimal text."),
    Column("period", String(16), nullable=False),
)

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("key", String(64), ForeignKey("keys.id"), nullable=False, index=True),
    Column("prefix", String(16), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("until", Double, doc="When it is rotated away."),
)
