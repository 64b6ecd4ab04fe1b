"""Recorded calls, where they were imported from, and how far live ones were collected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _records()
    _imports()
    op.create_table(
        "collected",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_collected")),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("collected", "imports", "records"):
        op.drop_table(table)


def _records() -> None:
    texts = ("external_id", "vendor", "model", "target", "route")
    tokens = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
    op.create_table(
        "records",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("import_id", sa.LargeBinary(length=16), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("owned", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("app", "workflow_named", "conversation", "label")),
        sa.Column("consent", sa.Boolean(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in tokens),
        sa.Column("usage_estimated", sa.Boolean(), nullable=False),
        sa.Column("latency", sa.Double(), nullable=True),
        sa.Column("first_token", sa.Double(), nullable=True),
        sa.Column("assigned", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_records_assigned", "records", ["assigned", "id"])
    op.create_index(op.f("ix_records_import_id"), "records", ["import_id"])
    op.create_index("ix_records_source", "records", ["source", "id"])


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("new", "known", "skipped", "rejected")),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
