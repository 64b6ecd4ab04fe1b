"""Tables of moves: what began, what happened, and the pairs. Of a move nothing changes but what the rollout is at."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, String, Table, Text

from freehold.core.db import metadata

moves = Table(
    "moves",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("workflow", String, nullable=False, index=True),
    Column("began", Double, nullable=False),
    Column("rule", Text, nullable=False, doc="Canonical JSON."),
    Column("rule_sha256", String(64), nullable=False),
    Column("plan", Text, nullable=False, doc="Canonical JSON."),
    Column("actor", String, nullable=False),
    Column("stage", String(16), nullable=False, doc="As its events leave it: an index for queries."),
    Column("cursor", LargeBinary(16), nullable=False, doc="The last record looked at for pairing."),
    Column("wanted", Text, nullable=False, doc="JSON: records that a person must annotate before it goes on, in hex."),
    Column("health", Text, nullable=False, server_default="", doc="JSON: `validity.Health`; empty before it serves."),
)

move_events = Table(
    "move_events",
    metadata,
    Column("move", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String, nullable=False),
    Column("content", Text, nullable=False, doc="Canonical JSON."),
)

pairs = Table(
    "pairs",
    metadata,
    Column("move", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, doc="In the order the evidence counts them."),
    Column("record", LargeBinary(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("served", String(16), nullable=False),
    Column("candidate", Double, nullable=False),
    Column("incumbent", Double, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("gold", Boolean, nullable=False),
    Column("candidate_sha256", LargeBinary(32), nullable=False),
    Column("incumbent_sha256", LargeBinary(32), nullable=False),
    Column("cost", BigInteger, nullable=False, doc="Picodollars."),
    Index("ix_pairs_move_record", "move", "record", unique=True),
)
