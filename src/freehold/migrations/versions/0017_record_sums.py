"""Sums of records; empty, which means that they are to be made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TEXTS = ("assigned", "vendor", "model", "app")
_FLAGS = ("owned", "live")
_NUMBERS = ("calls", "errors", "timed", "input", "output", "cached", "cache_write", "cost_micro", "cost_pico")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "record_sums",
        *(sa.Column(name, sa.String(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in _FLAGS),
        sa.Column("label", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS[:3]),
        sa.Column("latency", sa.Double(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS[3:]),
        sa.Column("first", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(*_TEXTS, *_FLAGS, "label", name=op.f("pk_record_sums")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("record_sums")
