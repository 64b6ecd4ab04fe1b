"""Jobs and their schedules. A job is taken by setting its lock; only who holds the lock's token may write its end."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, String, Table, Text

from freehold.core.db import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False, doc="JSON."),
    Column("state", String, nullable=False, doc="`ready`, `running`, `done`, `failed`."),
    Column("run_after", Double, nullable=False, doc="Unix seconds."),
    Column("tries", Integer, nullable=False),
    Column("lock_token", LargeBinary(16)),
    Column("lock_expires_at", Double),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("result", Text, nullable=False, doc="JSON; a progress note while it runs."),
    Column("error", Text, nullable=False),
    Index("ix_jobs_state_run_after", "state", "run_after"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("every_seconds", Double, nullable=False),
    Column("next_at", Double, nullable=False),
)
