"""The tables of recorded calls and of imports. Times are Unix seconds, ids 16 bytes that sort by time.

A record's content is no column: it lies sealed with the ledger's bodies, as side `exchange` of the record's id.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, LargeBinary, SmallInteger, String, Table, Text

from freehold.core.db import metadata

Id = LargeBinary(16)


def _tokens() -> list[Column[int]]:
    names = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
    return [Column(name, BigInteger, nullable=False) for name in names]


records = Table(
    "records",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Double, nullable=False),
    Column("source", String, nullable=False, doc="`live`, or the format it was imported from."),
    Column("import_id", Id, nullable=False, index=True, doc="Empty for a live call."),
    Column("external_id", String, nullable=False),
    Column("vendor", String, nullable=False),
    Column("model", String, nullable=False),
    Column("target", String, nullable=False),
    Column("route", String, nullable=False),
    Column("owned", Boolean, nullable=False),
    Column("app", String, nullable=False),
    Column("workflow_named", String, nullable=False, doc="What the caller named; it always wins."),
    Column("conversation", String, nullable=False),
    Column("label", String, nullable=False),
    Column("consent", Boolean, doc="NULL where nobody was asked."),
    Column("status", SmallInteger, nullable=False),
    Column("answered", Boolean, nullable=False, doc="There is an answer to compare with."),
    *_tokens(),
    Column("usage_estimated", Boolean, nullable=False),
    Column("latency", Double, doc="Seconds."),
    Column("first_token", Double, doc="Seconds."),
    Column("assigned", String, nullable=False, doc="Id of its workflow; empty where it has none yet."),
    Column("request_sha256", LargeBinary(32), nullable=False, doc="Of the canonical request, secrets removed."),
    Index("ix_records_assigned", "assigned", "id"),
    Index("ix_records_source", "source", "id"),
    sqlite_with_rowid=False,
)

record_sums = Table(
    "record_sums",
    metadata,
    *(Column(name, String, primary_key=True) for name in ("assigned", "vendor", "model", "app")),
    Column("owned", Boolean, primary_key=True),
    Column("live", Boolean, primary_key=True),
    Column("label", String, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in ("calls", "errors", "timed")),
    Column("latency", Double, nullable=False, doc="Sum of seconds over `timed` calls."),
    *(Column(name, BigInteger, nullable=False) for name in ("input", "output", "cached", "cache_write")),
    Column("cost_micro", BigInteger, nullable=False, doc="What live calls cost, in whole microdollars."),
    Column("cost_pico", BigInteger, nullable=False, doc="And the picodollars left over."),
    Column("first", Double, nullable=False, doc="0 where no call has a time."),
    Column("last", Double, nullable=False),
    sqlite_with_rowid=False,
)

imports = Table(
    "imports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("started", Double, nullable=False),
    Column("ended", Double, doc="NULL while it runs, and where it was killed."),
    Column("label", String, nullable=False),
    Column("files", Text, nullable=False, doc="JSON: name, bytes, sha256, formats and counts of each."),
    Column("new", BigInteger, nullable=False),
    Column("known", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("error", String, nullable=False, doc="Why it stopped early; empty where it did not."),
)

collected = Table(
    "collected",
    metadata,
    Column("name", String, primary_key=True),
    Column("leaf", BigInteger, nullable=False, doc="Calls at or before it were looked at."),
)
