"""The tables of workflows: identities and templates. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, LargeBinary, String, Table, Text

from freehold.core.db import metadata

workflows = Table(
    "workflows",
    metadata,
    Column("id", String(15), primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("named", Boolean, nullable=False, doc="Its callers name it."),
    Column("renamed", Boolean, nullable=False, doc="A person chose the name."),
    Column("into", String(15), nullable=False, doc="The workflow it was merged into, empty for none."),
    Column("made_at", Double, nullable=False),
    Column("found_at", Double, nullable=False, doc="Last time that discovery found it."),
    Column("requests", BigInteger, nullable=False, doc="At that time."),
    Column("shape", Text, nullable=False, doc="JSON."),
    Column("maturity", Text, nullable=False, doc="JSON; `null` before discovery judged it."),
    Column("weeks", Text, nullable=False, doc="JSON."),
    Column("samples", LargeBinary, nullable=False, doc="Ids of a few records, 16 bytes each."),
)

workflow_templates = Table(
    "workflow_templates",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True, doc="Of grams, tools and keys: two workflows share none."),
    Column("workflow", String(15), nullable=False, index=True),
    Column("pinned", Boolean, nullable=False, doc="A person said that it is that workflow's."),
    Column("system", LargeBinary, nullable=False, doc="Packed 64-bit hashes."),
    Column("user", LargeBinary, nullable=False, doc="Packed 64-bit hashes."),
    Column("tools", Text, nullable=False, doc="JSON list."),
    Column("keys", Text, nullable=False, doc="JSON list."),
    Column("count", BigInteger, nullable=False, doc="Requests that followed it when it was last found."),
)
