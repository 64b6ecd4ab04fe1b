"""How many calls of an hour had a baseline, so that an unknown rented price is not shown as nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count; of hours before it, those that were priced at something count whole."""
    op.add_column("usage_hours", sa.Column("what_if_calls", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE usage_hours SET what_if_calls = calls WHERE what_if_micro <> 0 OR what_if_pico <> 0")


def downgrade() -> None:
    """Drop the count."""
    op.drop_column("usage_hours", "what_if_calls")
