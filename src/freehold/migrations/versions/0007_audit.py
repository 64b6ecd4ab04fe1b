"""Audit: forms of statements, whom a call is about and what served it, intents, legal holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TEXTS = ("subject", "provider", "model", "model_digest")


def upgrade() -> None:
    """Make the tables, and room in those there are; what is stored keeps the form it was hashed in."""
    for table in ("calls", "audit_entries"):
        op.add_column(table, sa.Column("form", sa.SmallInteger(), nullable=False, server_default="1"))
    for name in _TEXTS:
        op.add_column("calls", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.create_table(
        "audit_intents",
        sa.Column("leaf", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("call", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_audit_intents")),
        sa.UniqueConstraint("call", name=op.f("uq_audit_intents_call")),
    )
    op.create_table(
        "audit_holds",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("released_at", sa.Double(), nullable=True),
        sa.Column("released_by", sa.String(), server_default="", nullable=False),
        sa.Column("released_why", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_holds")),
    )
    op.create_index(op.f("ix_audit_holds_released_at"), "audit_holds", ["released_at"])


def downgrade() -> None:
    """Drop them. Statements of the newer form cannot be checked any more."""
    for table in ("audit_holds", "audit_intents"):
        op.drop_table(table)
    for name in _TEXTS:
        op.drop_column("calls", name)
    for table in ("audit_entries", "calls"):
        op.drop_column(table, "form")
