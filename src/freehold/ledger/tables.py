"""The ledger's tables. Money in `calls` and `attempts` is whole picodollars, times are Unix seconds, ids 16 bytes.

`calls` and `attempts` bear no foreign keys: the writer alone writes them, a call and its attempts in one transaction.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from freehold.core.db import Serial, metadata

Id = LargeBinary(16)
Digest = LargeBinary(32)


def _tokens() -> list[Column[int]]:
    names = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
    return [Column(name, BigInteger, nullable=False) for name in names]


def _sums(name: str) -> list[Column[int]]:
    """A sum of money in whole microdollars and the picodollars left over: one of picodollars could overflow."""
    return [Column(f"{name}_micro", BigInteger, nullable=False), Column(f"{name}_pico", BigInteger, nullable=False)]


calls = Table(
    "calls",
    metadata,
    Column("leaf", Serial, primary_key=True, autoincrement=False, doc="Index in the audit tree; grows as calls end."),
    Column("id", Id, nullable=False, unique=True),
    Column("at", Double, nullable=False),
    Column("latency", Double, nullable=False, doc="Seconds until the last byte."),
    Column("latency_step", SmallInteger, nullable=False, doc="`records.step_of(latency)`, for percentiles by group."),
    Column("first_token", Double, doc="Seconds until the answer began."),
    Column("epoch", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("team", String, nullable=False),
    Column("route", String, nullable=False),
    Column("dialect", String, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("label", String, nullable=False),
    Column("workflow", String, nullable=False),
    Column("target", String, nullable=False, doc="The one that answered, else the last tried; empty for none."),
    Column("owned", Boolean, nullable=False),
    Column("region", String, nullable=False),
    Column("outcome", String, nullable=False, doc="As in `frames.Close`, or `refused`, or `lost`."),
    Column("status", SmallInteger, nullable=False),
    Column("error", String, nullable=False),
    Column("policy_version", BigInteger, nullable=False),
    Column("routes_version", BigInteger, nullable=False),
    *_tokens(),
    Column("estimated", Boolean, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("price_source", String, nullable=False),
    Column("price_as_of", String, nullable=False),
    Column("what_if", BigInteger, doc="What the route's baseline would have cost for the same tokens."),
    Column("what_if_target", String, nullable=False),
    Column("what_if_source", String, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("request_sha256", LargeBinary(32), nullable=False),
    Column("response_sha256", LargeBinary(32), nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("dropped", Text, nullable=False, doc="Names joined by commas."),
    Column("scanned", BigInteger, nullable=False),
    Column("budgets", Text, nullable=False, doc="`budget@period_start` joined by commas."),
    Column("scan", Text, nullable=False, server_default="", doc="JSON: what a guard saw and found; empty for none."),
    Column("form", SmallInteger, nullable=False, server_default="1", doc="Of its statement, see `receipts`."),
    Column("subject", String, nullable=False, server_default="", doc="Keyed digest of whom it is about; erasable."),
    Column("provider", String, nullable=False, server_default="", doc="Who served the target, as configured."),
    Column("model", String, nullable=False, server_default="", doc="What the provider calls the model."),
    Column("model_digest", String, nullable=False, server_default="", doc="SHA-256 of an owned model, in hex."),
    Column("trace", String, nullable=False, server_default="", doc="The caller's, as in `frames.Open`."),
    Index("ix_calls_key_id", "key_id", "id"),
    Index("ix_calls_team", "team", "id"),
    Index("ix_calls_route", "route", "id"),
    Index("ix_calls_target", "target", "id"),
    Index("ix_calls_workflow", "workflow", "id"),
    Index(
        "ix_calls_trouble",
        "outcome",
        "id",
        sqlite_where=text("outcome <> 'ok'"),
        postgresql_where=text("outcome <> 'ok'"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("leaf", Serial, primary_key=True, autoincrement=False, doc="Of its call."),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("target", String, nullable=False),
    Column("owned", Boolean, nullable=False),
    Column("region", String, nullable=False),
    Column("started", Double, nullable=False),
    Column("first_token", Double),
    Column("ended", Double, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("error", String, nullable=False),
    *_tokens(),
    Column("estimated", Boolean, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("price_source", String, nullable=False),
    Column("price_as_of", String, nullable=False),
    sqlite_with_rowid=False,
)


def _usage(name: str, span: str, told: str) -> Table:
    """Sums of calls by a span of time and all that they are told apart by."""
    return Table(
        name,
        metadata,
        Column(span, BigInteger, primary_key=True, autoincrement=False, doc=told),
        Column("key_id", String, primary_key=True),
        Column("team", String, primary_key=True),
        Column("route", String, primary_key=True),
        Column("workflow", String, primary_key=True),
        Column("target", String, primary_key=True),
        Column("outcome", String, primary_key=True),
        Column("latency_step", SmallInteger, primary_key=True, autoincrement=False),
        Column("calls", BigInteger, nullable=False),
        *_tokens(),
        Column("estimated", BigInteger, nullable=False, doc="Calls whose tokens we counted ourselves."),
        *_sums("cost"),
        *_sums("what_if"),
        *_sums("what_if_cost"),
        Column(
            "what_if_calls", BigInteger, nullable=False, server_default="0", doc="Calls whose route names a baseline."
        ),
        sqlite_with_rowid=False,
    )


usage_hours = _usage("usage_hours", "hour", "Since 1970, by the time in the call's id.")

usage_days = _usage("usage_days", "day", "Since 1970, in UTC: what a month is summed from.")

guard_hours = Table(
    "guard_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False, doc="Since 1970, by the time in the call's id."),
    Column("guard", String, primary_key=True),
    Column("digest", String, primary_key=True, doc="Of its rules and its detectors' versions."),
    Column("route", String, primary_key=True),
    Column("side", String, primary_key=True, doc="`request` or `answer`."),
    Column("detector", String, primary_key=True, doc="Empty in the row of all calls that were looked at."),
    Column("kind", String, primary_key=True, doc="Empty in the row of calls on which the detector failed."),
    Column("calls", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False, doc="Calls on which a detector raised or ran out of time."),
    Column("refused", BigInteger, nullable=False, doc="Calls that the guard refused on that side."),
    sqlite_with_rowid=False,
)

pending = Table(
    "pending",
    metadata,
    Column("call", Id, primary_key=True),
    Column("epoch", String, nullable=False, index=True),
    Column("frames", LargeBinary, nullable=False, doc="msgpack list of the frames so far: `Open`, then `Attempt`s."),
)

positions = Table(
    "positions",
    metadata,
    Column("epoch", String, primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False, doc="Everything before it is in the tables."),
)

bodies = Table(
    "bodies",
    metadata,
    Column("call", Id, primary_key=True),
    Column("side", String, primary_key=True, doc="`request` or `response`."),
    Column("digest", LargeBinary(32), index=True, doc="Keyed digest of the plain bytes; NULL once the file is gone."),
    Column("label", String, nullable=False),
    Column("size", BigInteger, nullable=False, doc="Plain bytes; -1 where what was captured did not open."),
    Column("kept_at", Double, nullable=False),
    Column("retention_until", Double, nullable=False, index=True),
    Column("erased_at", Double),
    Column("erased_why", String, nullable=False, server_default=""),
    Column("key_id", String, nullable=False, server_default="", doc="Whose it is, where it is of no call."),
    Column("team", String, nullable=False, server_default="", doc="Of that key."),
)

leases = Table(
    "leases",
    metadata,
    Column("epoch", String, primary_key=True),
    Column("budget", String, primary_key=True, index=True),
    Column("period_start", BigInteger, primary_key=True, autoincrement=False),
    Column("granted", String, nullable=False, doc="Dollars as decimal text: exact at any size."),
    Column("settled", String, nullable=False, doc="What this epoch's ended calls cost."),
)

spent = Table(
    "spent",
    metadata,
    Column("budget", String, primary_key=True),
    Column("period_start", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", String, nullable=False, doc="Dollars settled by epochs that are over."),
)

audit_queue = Table(
    "audit_queue",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("content", Text, nullable=False, doc="Canonical JSON."),
    sqlite_autoincrement=True,
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("leaf", Serial, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("form", SmallInteger, nullable=False, server_default="1", doc="Of its statement, see `receipts`."),
)

audit_intents = Table(
    "audit_intents",
    metadata,
    Column("leaf", Serial, primary_key=True, autoincrement=False),
    Column("call", Id, nullable=False, unique=True, doc="A call that was open when a checkpoint was made."),
    Column("at_ms", BigInteger, nullable=False),
    Column("target", String, nullable=False),
    Column("label", String, nullable=False),
    Column("policy_version", BigInteger, nullable=False),
)

audit_holds = Table(
    "audit_holds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("made_at", Double, nullable=False),
    Column("made_by", String, nullable=False),
    Column("why", String, nullable=False),
    Column("scope", Text, nullable=False, doc="JSON: what is held, see `audit.holds.Scope`."),
    Column("released_at", Double, index=True),
    Column("released_by", String, nullable=False, server_default=""),
    Column("released_why", String, nullable=False, server_default=""),
)

audit_tiles = Table(
    "audit_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False, doc="Up to 256 hashes of 32 bytes."),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Serial, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False, doc="The signed form."),
)
