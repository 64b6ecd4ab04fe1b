"""Files and batches as OpenAI's API writes them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freehold.batches.types import INPUT, OUTPUT, Batch, File, Outcome, Said, Task, Tokens, batch_text, file_text
from freehold.core.crypto import sha256

ENDS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
"""Statuses whose time a batch tells."""


def file_object(file: File) -> dict[str, Any]:
    """A file."""
    return {
        "id": file_text(file.id),
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "expires_at": int(file.expires_at),
        "filename": file.name,
        "purpose": OUTPUT if file.purpose == OUTPUT else INPUT,
        "status": "processed",
        "status_details": None,
    }


def batch_object(batch: Batch, said: Said) -> dict[str, Any]:
    """A batch."""
    problems = [
        {"code": one.code, "line": one.line, "message": one.message, "param": one.param} for one in batch.problems
    ]
    return {
        "id": batch_text(batch.id),
        "object": "batch",
        "endpoint": batch.endpoint,
        **({"model": batch.model} if batch.model else {}),
        "errors": {"object": "list", "data": problems} if problems else None,
        "input_file_id": file_text(batch.input_file),
        "completion_window": said.window,
        "status": batch.status,
        "output_file_id": None if batch.output_file is None else file_text(batch.output_file),
        "error_file_id": None if batch.error_file is None else file_text(batch.error_file),
        "created_at": int(batch.created_at),
        "expires_at": int(batch.expires_at),
        **{f"{name}_at": int(batch.times[name]) if name in batch.times else None for name in ENDS},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": usage_object(batch.usage),
        "metadata": said.metadata,
    }


def usage_object(usage: Tokens) -> dict[str, Any]:
    """What a batch used."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def listed(found: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of a list; `found` holds one more where there are more."""
    shown = list(found[:limit])
    ends = {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}
    return {"object": "list", "data": shown, **ends, "has_more": len(found) > limit}


def line_of(batch: bytes, task: Task, outcome: Outcome) -> bytes:
    """One line of an output or error file, without its end."""
    response = None
    if outcome.status:
        response = {"status_code": outcome.status, "request_id": outcome.request_id, "body": outcome.body}
    error = {"code": outcome.error, "message": outcome.message} if outcome.error else None
    mark = sha256(batch + task.number.to_bytes(4, "big")).hex()[:32]
    told = {"id": f"batch_req_{mark}", "custom_id": task.custom_id, "response": response, "error": error}
    return msgspec.json.encode(told)
