"""Usage by the day, summed from that by the hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_KEYS = ("key_id", "team", "route", "workflow", "target", "outcome")
_SUMS = (
    "calls",
    "input",
    "output",
    "cached",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "estimated",
    "cost_micro",
    "cost_pico",
    "what_if_micro",
    "what_if_pico",
    "what_if_cost_micro",
    "what_if_cost_pico",
)


def upgrade() -> None:
    """Add the table, and sum what is there."""
    op.create_table(
        "usage_days",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _KEYS),
        sa.Column("latency_step", sa.SmallInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.Column("what_if_calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day", *_KEYS, "latency_step", name=op.f("pk_usage_days")),
        sqlite_with_rowid=False,
    )
    keys, sums = ", ".join((*_KEYS, "latency_step")), (*_SUMS, "what_if_calls")
    names, added = ", ".join(sums), ", ".join(f"SUM({one})" for one in sums)
    op.execute(
        f"INSERT INTO usage_days (day, {keys}, {names}) "  # noqa: S608  names of our own
        f"SELECT (hour - hour % 24) / 24, {keys}, {added} FROM usage_hours GROUP BY (hour - hour % 24) / 24, {keys}"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("usage_days")
