"""Moves: what began, what happened, and the pairs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of moves."""
    op.create_table(
        "moves",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_sha256", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("cursor", sa.LargeBinary(length=16), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    op.create_index(op.f("ix_moves_workflow"), "moves", ["workflow"])
    op.create_table(
        "move_events",
        sa.Column("move", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("move", "number", name=op.f("pk_move_events")),
    )
    op.create_table(
        "pairs",
        sa.Column("move", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("served", sa.String(length=16), nullable=False),
        sa.Column("candidate", sa.Double(), nullable=False),
        sa.Column("incumbent", sa.Double(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("gold", sa.Boolean(), nullable=False),
        sa.Column("candidate_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("incumbent_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("move", "number", name=op.f("pk_pairs")),
    )
    op.create_index("ix_pairs_move_record", "pairs", ["move", "record"], unique=True)


def downgrade() -> None:
    """Drop the tables of moves."""
    for name in ("pairs", "move_events", "moves"):
        op.drop_table(name)
