"""The first schema: ledger, audit tree, budgets, jobs, keys, published snapshots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_USAGE_KEYS = ("hour", "key_id", "team", "route", "workflow", "target", "outcome", "latency_step")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _calls()
    _attempts()
    _usage_hours()
    _pending()
    _positions()
    _bodies()
    _leases()
    _spent()
    _audit_queue()
    _audit_entries()
    _audit_tiles()
    _checkpoints()
    _jobs()
    _schedules()
    _keys()
    _key_secrets()
    _published()


def downgrade() -> None:
    """Drop every table."""
    for name in reversed(_TABLES):
        op.drop_table(name)


_TABLES = (
    "calls",
    "attempts",
    "usage_hours",
    "pending",
    "positions",
    "bodies",
    "leases",
    "spent",
    "audit_queue",
    "audit_entries",
    "audit_tiles",
    "checkpoints",
    "jobs",
    "schedules",
    "keys",
    "key_secrets",
    "published",
)


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("leaf", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("latency", sa.Double(), nullable=False),
        sa.Column("latency_step", sa.SmallInteger(), nullable=False),
        sa.Column("first_token", sa.Double(), nullable=True),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.Column("routes_version", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("cached", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("price_source", sa.String(), nullable=False),
        sa.Column("price_as_of", sa.String(), nullable=False),
        sa.Column("what_if", sa.BigInteger(), nullable=True),
        sa.Column("what_if_target", sa.String(), nullable=False),
        sa.Column("what_if_source", sa.String(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("response_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.Text(), nullable=False),
        sa.Column("scanned", sa.BigInteger(), nullable=False),
        sa.Column("budgets", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_calls")),
        sa.UniqueConstraint("id", name=op.f("uq_calls_id")),
    )
    op.create_index("ix_calls_key_id", "calls", ["key_id", "id"])
    op.create_index("ix_calls_route", "calls", ["route", "id"])
    op.create_index("ix_calls_target", "calls", ["target", "id"])
    op.create_index("ix_calls_team", "calls", ["team", "id"])
    op.create_index(
        "ix_calls_trouble",
        "calls",
        ["outcome", "id"],
        sqlite_where=sa.text("outcome <> 'ok'"),
        postgresql_where=sa.text("outcome <> 'ok'"),
    )
    op.create_index("ix_calls_workflow", "calls", ["workflow", "id"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("leaf", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("first_token", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("cached", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("price_source", sa.String(), nullable=False),
        sa.Column("price_as_of", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", "number", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )


def _usage_hours() -> None:
    op.create_table(
        "usage_hours",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("latency_step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("cached", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("cost_micro", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("what_if_micro", sa.BigInteger(), nullable=False),
        sa.Column("what_if_pico", sa.BigInteger(), nullable=False),
        sa.Column("what_if_cost_micro", sa.BigInteger(), nullable=False),
        sa.Column("what_if_cost_pico", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_USAGE_KEYS, name=op.f("pk_usage_hours")),
        sqlite_with_rowid=False,
    )


def _pending() -> None:
    op.create_table(
        "pending",
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("frames", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("call", name=op.f("pk_pending")),
    )
    op.create_index(op.f("ix_pending_epoch"), "pending", ["epoch"])


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_positions")),
    )


def _bodies() -> None:
    op.create_table(
        "bodies",
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kept_at", sa.Double(), nullable=False),
        sa.Column("retention_until", sa.Double(), nullable=False),
        sa.Column("erased_at", sa.Double(), nullable=True),
        sa.Column("erased_why", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("call", "side", name=op.f("pk_bodies")),
    )
    op.create_index(op.f("ix_bodies_digest"), "bodies", ["digest"])
    op.create_index(op.f("ix_bodies_retention_until"), "bodies", ["retention_until"])


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("granted", sa.String(), nullable=False),
        sa.Column("settled", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "budget", "period_start", name=op.f("pk_leases")),
    )
    op.create_index(op.f("ix_leases_budget"), "leases", ["budget"])


def _spent() -> None:
    op.create_table(
        "spent",
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period_start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "period_start", name=op.f("pk_spent")),
    )


def _audit_queue() -> None:
    op.create_table(
        "audit_queue",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_queue")),
        sqlite_autoincrement=True,
    )


def _audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("leaf", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_kind"), "audit_entries", ["kind"])


def _audit_tiles() -> None:
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_audit_tiles")),
    )


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("size", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("run_after", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("lock_token", sa.LargeBinary(length=16), nullable=True),
        sa.Column("lock_expires_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_state_run_after", "jobs", ["state", "run_after"])


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.Double(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("team", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("routes", sa.Text(), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("tokens_per_minute", sa.Integer(), nullable=True),
        sa.Column("budget", sa.String(length=64), nullable=True),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("name", name=op.f("uq_keys_name")),
    )


def _key_secrets() -> None:
    op.create_table(
        "key_secrets",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["key"], ["keys.id"], name=op.f("fk_key_secrets_key_keys")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_key_secrets")),
    )
    op.create_index(op.f("ix_key_secrets_key"), "key_secrets", ["key"])


def _published() -> None:
    op.create_table(
        "published",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "version", name=op.f("pk_published")),
    )
