"""SQL of jobs. Every change after the claim is guarded by the lock's token, so a late worker changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from freehold.core.db import upsert
from freehold.core.ids import as_text, from_text
from freehold.jobs.tables import jobs, schedules
from freehold.jobs.types import Job, Payload, Schedule

_KEEP_SECONDS = 7 * 86400.0


def add(connection: Connection, job: bytes, kind: str, payload: Payload, now: float, run_after: float = 0.0) -> str:
    """Queue a job under a new id; the id as people see it."""
    row = {
        "id": job,
        "kind": kind,
        "payload": json.dumps(payload),
        "state": "ready",
        "run_after": max(run_after, now),
        "tries": 0,
        "created_at": now,
        "result": "{}",
        "error": "",
    }
    connection.execute(insert(jobs), [row])
    return as_text("job", job)


def claim(connection: Connection, kinds: Sequence[str], token: bytes, now: float, lease_seconds: float) -> Job | None:
    """Take the oldest job that is due, or whose worker went silent. None where there is nothing to do."""
    abandoned = (jobs.c.state == "running") & (jobs.c.lock_expires_at <= now)
    due = ((jobs.c.state == "ready") & (jobs.c.run_after <= now)) | abandoned
    query = select(jobs).where(jobs.c.kind.in_(kinds), due).order_by(jobs.c.run_after).limit(1)
    found = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
    if found is None:
        return None
    values = {"state": "running", "lock_token": token, "lock_expires_at": now + lease_seconds}
    connection.execute(update(jobs).where(jobs.c.id == found["id"]).values(tries=found["tries"] + 1, **values))
    return _job({**found, "tries": found["tries"] + 1, "state": "running"})


def extend(connection: Connection, job: str, token: bytes, until: float, progress: Payload) -> bool:
    """Keep the lease until then and note progress; False where it is lost."""
    values = {"lock_expires_at": until, "result": json.dumps(progress)}
    return _guarded(connection, job, token, values)


def finish(connection: Connection, job: str, token: bytes, now: float, result: Payload) -> bool:
    """The job is done; False where the lease is lost."""
    values = {"state": "done", "ended_at": now, "result": json.dumps(result), "error": "", "lock_token": None}
    return _guarded(connection, job, token, values)


def drop(connection: Connection, job: str, token: bytes) -> bool:
    """The job is done and nothing of it is kept; False where the lease is lost."""
    statement = delete(jobs).where(jobs.c.id == from_text(job), jobs.c.lock_token == token)
    return connection.execute(statement).rowcount == 1


def fail(connection: Connection, job: str, token: bytes, now: float, error: str) -> bool:
    """The job has failed for good; False where the lease is lost."""
    return _guarded(connection, job, token, {"state": "failed", "ended_at": now, "error": error, "lock_token": None})


def retry(connection: Connection, job: str, token: bytes, run_after: float, error: str) -> bool:
    """The job is tried again later; False where the lease is lost."""
    values = {"state": "ready", "run_after": run_after, "error": error, "lock_token": None}
    return _guarded(connection, job, token, values)


def take_back(connection: Connection, kinds: Sequence[str], now: float) -> int:
    """Make what is leased due at once; how many. For the only worker of these kinds, before it begins."""
    held = (jobs.c.state == "running") & jobs.c.kind.in_(kinds) & (jobs.c.lock_expires_at > now)
    return connection.execute(update(jobs).where(held).values(lock_expires_at=now)).rowcount


def put_back(connection: Connection, job: Job, token: bytes, now: float) -> bool:
    """Leave the job to the next worker, as if it had not been tried; False where the lease is lost."""
    values = {"state": "ready", "run_after": now, "tries": job.tries - 1, "lock_token": None}
    return _guarded(connection, job.id, token, values)


def keep_schedule(connection: Connection, schedule: Schedule, now: float) -> None:
    """Have this schedule, due at once where it is new."""
    row = {
        "name": schedule.name,
        "kind": schedule.kind,
        "payload": json.dumps(schedule.payload),
        "every_seconds": schedule.every_seconds,
        "next_at": now,
    }
    upsert(connection, schedules, [row], ("kind", "payload", "every_seconds"))


def due_schedules(connection: Connection, kinds: Sequence[str], now: float) -> list[tuple[str, Payload]]:
    """Those of the kinds that are due, with payloads, each advanced past now; queue them in the same transaction."""
    due = select(schedules).where(schedules.c.next_at <= now, schedules.c.kind.in_(kinds))
    found = connection.execute(due.with_for_update()).all()
    for one in found:
        missed = int((now - one.next_at) / one.every_seconds)
        following = one.next_at + (missed + 1) * one.every_seconds
        connection.execute(update(schedules).where(schedules.c.name == one.name).values(next_at=following))
    return [(one.kind, json.loads(one.payload)) for one in found]


def forget_done(connection: Connection, now: float) -> None:
    """Delete jobs that were done a week ago; failed ones stay."""
    connection.execute(delete(jobs).where(jobs.c.state == "done", jobs.c.ended_at < now - _KEEP_SECONDS))


def list_jobs(connection: Connection, state: str = "", limit: int = 50) -> list[Job]:
    """Jobs, newest first; `state` empty means all."""
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if state:
        query = query.where(jobs.c.state == state)
    return [_job(one) for one in connection.execute(query).mappings()]


def find(connection: Connection, job: str) -> Job | None:
    """One job."""
    found = connection.execute(select(jobs).where(jobs.c.id == from_text(job))).mappings().first()
    return None if found is None else _job(found)


def _guarded(connection: Connection, job: str, token: bytes, values: dict[str, Any]) -> bool:
    statement = update(jobs).where(jobs.c.id == from_text(job), jobs.c.lock_token == token).values(**values)
    return connection.execute(statement).rowcount == 1


def _job(row: Any) -> Job:
    return Job(
        id=as_text("job", row["id"]),
        payload=json.loads(row["payload"]),
        result=json.loads(row["result"]),
        **{name: row[name] for name in ("kind", "state", "run_after", "tries", "created_at", "ended_at", "error")},
    )
