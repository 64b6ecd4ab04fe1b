"""Sums of records made anew where that is due: the worker asks for it every second."""

from __future__ import annotations

from sqlalchemy import Engine

from freehold.core.db import reading, writing
from freehold.workflows.sums import store


def settle(engine: Engine) -> bool:
    """True where they were made anew; the write lock is taken only then."""
    with reading(engine) as connection:
        if not store.due(connection):
            return False
    with writing(engine) as connection:
        return store.settle(connection)
