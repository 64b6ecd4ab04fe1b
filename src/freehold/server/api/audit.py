"""Who changed what, over the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from freehold.ledger.audit import store
from freehold.server.actors import Allowed, Served

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=[Depends(Allowed("audit:read"))])


@router.get("")
def index(
    instance: Served, kind: str = "", before: int | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[dict[str, object]]:
    """Changes, newest first; each is a leaf of the audit tree."""
    with instance.reading() as connection:
        return store.entries(connection, kind, before, limit)
