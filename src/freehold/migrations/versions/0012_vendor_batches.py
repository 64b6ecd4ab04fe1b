"""Batches in vendors' hands: where each stands there, and its lines until they are answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "vendor_batches",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("batch", sa.LargeBinary(16), nullable=False, unique=True),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("remote", sa.String(), nullable=False),
        sa.Column("attempted_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "vendor_lines",
        sa.Column("passage", sa.LargeBinary(16), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
    )


def downgrade() -> None:
    """Drop them. What is in a vendor's hands is settled at what was reserved for it."""
    op.drop_table("vendor_lines")
    op.drop_table("vendor_batches")
