"""Alembic's entry point: runs the revisions on the connection that `core.db` hands over."""

from __future__ import annotations

from alembic import context

from freehold.core.db import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
