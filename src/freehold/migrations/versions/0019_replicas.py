"""Replicas: machines that serve calls by this instance's rules, and the digests of the tokens they join with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.Column("lost", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_replicas_name", "replicas", ["name"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_index("ix_replicas_name", "replicas")
    op.drop_table("replicas")
