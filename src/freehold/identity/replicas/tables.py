"""The table of replicas."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, LargeBinary, String, Table

from freehold.core.db import metadata

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("ended_at", Double),
    Column("lost", Boolean, nullable=False),
)
