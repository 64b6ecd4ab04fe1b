"""How far each collector was told of calls, and how that went."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table

from freehold.core.db import metadata

collectors = Table(
    "collectors",
    metadata,
    Column("endpoint", String, primary_key=True),
    Column("leaf", BigInteger, nullable=False, doc="The last one told of, or passed over."),
    Column("at", Double, nullable=False, doc="When the collector last took something; 0 for never."),
    Column("left_out", BigInteger, nullable=False, doc="Calls whose label it is not cleared for, and given-up ones."),
    Column("failures", Integer, nullable=False, doc="In a row; 0 while all is well."),
    Column("retry_at", Double, nullable=False),
    Column("error", String, nullable=False, doc="Of the last failure, without what the collector said."),
)
