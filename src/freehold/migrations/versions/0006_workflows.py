"""Workflows: their identities and templates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("renamed", sa.Boolean(), nullable=False),
        sa.Column("into", sa.String(length=15), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("found_at", sa.Double(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("maturity", sa.Text(), nullable=False),
        sa.Column("weeks", sa.Text(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflows")),
        sa.UniqueConstraint("name", name=op.f("uq_workflows_name")),
    )
    op.create_table(
        "workflow_templates",
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("workflow", sa.String(length=15), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("system", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.LargeBinary(), nullable=False),
        sa.Column("tools", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_workflow_templates")),
    )
    op.create_index(op.f("ix_workflow_templates_workflow"), "workflow_templates", ["workflow"])


def downgrade() -> None:
    """Drop them."""
    for table in ("workflow_templates", "workflows"):
        op.drop_table(table)
