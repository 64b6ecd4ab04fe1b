"""Calls: the caller's trace. How far each collector was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty for what is stored, and the table."""
    op.add_column("calls", sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "collectors",
        sa.Column("endpoint", sa.String(), primary_key=True),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.Double(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_table("collectors")
    op.drop_column("calls", "trace")
