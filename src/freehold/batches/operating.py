"""Batches as those see them who run the instance: whose they are and how far, nothing of what is in them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.batches import store
from freehold.batches.types import CANCELLING, IN_PROGRESS, OPEN, VALIDATING, Batch, Passage, batch_id, batch_text
from freehold.core.clock import iso
from freehold.core.errors import Conflict, NotFound


class BatchStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One batch. Times are ISO 8601, UTC."""

    id: str
    key_id: str
    team: str
    status: str
    endpoint: str
    model: str
    """Empty where its lines name different ones, or were not read yet."""
    label: str
    total: int
    completed: int
    failed: int
    created_at: str
    expires_at: str
    input_tokens: int
    output_tokens: int
    passed: str = ""
    """How it stands on its way to its vendor: `gathering`, `held`, `uploaded`, `creating`, `submitted`, `settled`, or
    `declined` where its lines were asked like any calls after all; empty where it is not to be passed.
    """
    passed_to: str = ""
    """The target whose vendor has it."""
    vendor_batch: str = ""
    """The vendor's own id of it."""


def standing(batch: Batch, passage: Passage | None = None) -> BatchStanding:
    """A batch as it is shown, with where it stands at its vendor."""
    return BatchStanding(
        id=batch_text(batch.id),
        key_id=batch.key_id,
        team=batch.team,
        status=batch.status,
        endpoint=batch.endpoint,
        model=batch.model,
        label=batch.label,
        total=batch.total,
        completed=batch.completed,
        failed=batch.failed,
        created_at=iso(batch.created_at),
        expires_at=iso(batch.expires_at),
        input_tokens=batch.usage.input,
        output_tokens=batch.usage.output,
        passed="" if passage is None else passage.status,
        passed_to="" if passage is None else passage.target,
        vendor_batch="" if passage is None else passage.remote,
    )


def named(connection: Connection, text: str) -> Batch:
    """Anybody's batch by its id. Raises NotFound."""
    try:
        found = store.any_batch(connection, batch_id(text))
    except NotFound:
        found = None
    if found is None:
        raise NotFound(f"there is no batch {text!r}", hint="list them: freehold batches list")
    return found


def cancel(connection: Connection, batch: Batch, now: float) -> tuple[Batch, bool]:
    """Ask no further line; those under way are answered. The batch, and whether that was news.

    Raises Conflict where it has ended.
    """
    if batch.status not in OPEN:
        raise Conflict(f"a batch that is {batch.status} cannot be cancelled")
    if batch.status not in (VALIDATING, IN_PROGRESS):
        return batch, False
    cancelled = replace(batch, status=CANCELLING, times={**batch.times, CANCELLING: now})
    store.save(connection, cancelled)
    return cancelled, True
