"""Files and batches of callers. Bodies that belong to no call: whose they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty for what is stored, and the tables."""
    for name in ("key_id", "team"):
        op.add_column("bodies", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.create_table(
        "batch_files",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("stated", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_batch_files_key_id_id", "batch_files", ["key_id", "id"])
    op.create_table(
        "batches",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("input_file", sa.LargeBinary(16), nullable=False),
        sa.Column("output_file", sa.LargeBinary(16)),
        sa.Column("error_file", sa.LargeBinary(16)),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("times", sa.Text(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_batches_key_id_id", "batches", ["key_id", "id"])
    op.create_index("ix_batches_status", "batches", ["status"])
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.LargeBinary(16), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Drop them. Contents of files stay under their ids until their time is over."""
    op.drop_table("batch_lines")
    op.drop_table("batches")
    op.drop_table("batch_files")
    for name in ("team", "key_id"):
        op.drop_column("bodies", name)
