"""Who changed what; what must not be erased; and whom to erase. Over the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.db import writing
from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.core.ids import from_text
from freehold.identity import store as keys
from freehold.jobs import store as jobs
from freehold.ledger import capture
from freehold.ledger import store as ledger
from freehold.ledger.audit import log, store
from freehold.ledger.errors import Held
from freehold.ledger.intake.rows import subject_of
from freehold.ledger.keeping import erasing
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.holds import Hold, Scope
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance

router = APIRouter(prefix="/api/audit", tags=["audit"])

READ = [Depends(Allowed("audit:read"))]
Eraser = Annotated[Actor, Depends(Allowed("bodies:erase"))]
Why = Annotated[str, Field(min_length=1, max_length=256, description="Kept in the audit.")]


class Wanted(BaseModel):
    """Whose, or which, calls are meant."""

    model_config = ConfigDict(extra="forbid")

    call: str = ""
    key: str = Field("", description="Name or id of a virtual key.")
    subject: str = Field("", description="As callers name a person in `x-freehold-subject`.")
    team: str = Field("", description="Of a subject: the team whose calls name it so. Else all calls of a team.")


class NewHold(Wanted):
    """A hold to be made; it covers what all of its fields say, and everything where none is given."""

    workflow: str = ""
    since: float | None = Field(None, description="Calls from this moment on, Unix seconds.")
    until: float | None = Field(None, description="Calls before this moment, Unix seconds.")
    why: Why


class Release(BaseModel):
    """Why a hold is released."""

    model_config = ConfigDict(extra="forbid")

    why: Why


class Erasure(Wanted):
    """Exactly one of `call`, `key` and `subject`, and why."""

    why: Why


class HoldView(BaseModel):
    """A hold."""

    id: str
    scope: str
    why: str
    made_at: str
    made_by: str
    released_at: str | None
    released_by: str
    released_why: str


class Erased(BaseModel):
    """How many bodies are gone, or the job that does it; see /api/jobs."""

    bodies: int | None = None
    jobs: tuple[str, ...] = ()


@router.get("", dependencies=READ)
def index(
    instance: Served, kind: str = "", before: int | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[dict[str, object]]:
    """Changes, newest first; each is a leaf of the audit tree."""
    with instance.reading() as connection:
        return store.entries(connection, kind, before, limit)


@router.get("/checkpoints", dependencies=READ)
def checkpoints(instance: Served, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[dict[str, object]]:
    """Signed checkpoints, newest first, in C2SP note form."""
    with instance.reading() as connection:
        found = store.all_checkpoints(connection)[-limit:]
    return [{"size": one["size"], "at": iso(one["at"]), "note": one["note"]} for one in reversed(found)]


@router.get("/consistency", dependencies=READ)
def consistency(instance: Served, old: int, new: int) -> dict[str, object]:
    """Proof (RFC 9162, section 2.1.4) that the log of size `old` is the beginning of that of size `new`; in hex."""
    return {"old": old, "new": new, "proof": log.consistency_proof(instance.engine, old, new)}


@router.get("/holds", dependencies=READ)
def holds(instance: Served, *, released: bool = False) -> list[HoldView]:
    """Legal holds, oldest first; with `released` also those that are no more."""
    with instance.reading() as connection:
        return [_view(one) for one in keeping.holds(connection, active=not released)]


@router.post("/holds", status_code=201)
def add_hold(new: NewHold, instance: Served, actor: Eraser) -> HoldView:
    """Hold what must not be erased: neither retention nor anybody erases it until it is released."""
    with writing(instance.engine) as connection:
        scope = Scope(
            call=_call(new.call).hex() if new.call else "",
            key=keys.by_name(connection, new.key).id if new.key else "",
            team="" if new.subject else new.team,
            workflow=new.workflow,
            subject=_subject(instance, new) if new.subject else "",
            since=new.since,
            until=new.until,
        )
        now = instance.clock()
        made = Hold(raw=instance.new_id(), made_at=now, made_by=actor.name, why=new.why, scope=scope)
        keeping.insert_hold(connection, made)
        content: dict[str, object] = {"hold": made.id, "scope": scope.told, "why": new.why}
        store.append(connection, now, "hold.add", actor.name, content)
    return _view(made)


@router.post("/holds/{hold}/release")
def release(hold: str, how: Release, instance: Served, actor: Eraser) -> HoldView:
    """Release a hold: what is past its retention goes with the next round."""
    with writing(instance.engine) as connection:
        before = next((one for one in keeping.holds(connection, active=False) if one.id == hold), None)
        if before is None:
            raise NotFound(f"there is no hold {hold}", hint="list them: freehold audit hold list")
        now = instance.clock()
        after = Hold(
            raw=before.raw,
            made_at=before.made_at,
            made_by=before.made_by,
            why=before.why,
            scope=before.scope,
            released_at=now,
            released_by=actor.name,
            released_why=how.why,
        )
        if not keeping.release_hold(connection, after):
            raise Conflict(f"{hold} was released before")
        store.append(connection, now, "hold.release", actor.name, {"hold": hold, "why": how.why})
    return _view(after)


@router.post("/erase", status_code=202)
def erase(which: Erasure, instance: Served, actor: Eraser) -> Erased:
    """Erase the bodies of a call, or whom calls are about. A legal hold refuses it, and the refusal is audited."""
    if sum(bool(one) for one in (which.call, which.key, which.subject)) != 1:
        raise BadRequest("name a call, a key or a subject, and one of them alone")
    named = ("call", which.call) if which.call else ("key", which.key) if which.key else ("subject", "")
    what: dict[str, object] = {named[0]: named[1] or _subject(instance, which), "why": which.why}
    try:
        return _erase(which, instance, actor, what)
    except Held as error:
        instance.note(actor.name, "erase.refused", {**what, "reason": error.message})
        raise


def _erase(which: Erasure, instance: Instance, actor: Actor, what: dict[str, object]) -> Erased:
    now = instance.clock()
    if which.call:
        raw = _call(which.call)
        with instance.reading() as connection:
            ledger.show_call(connection, which.call)
        count = capture.erase_call(instance.engine, instance.bodies, raw, which.why, now)
        instance.note(actor.name, "erase", {**what, "bodies": count})
        return Erased(bodies=count)
    with writing(instance.engine) as connection:
        payloads: list[dict[str, object]] = []
        if which.key:
            key = keys.by_name(connection, which.key).id
            capture.check_holds(connection, ledger.bodies_of_key(key))
            subject = instance.bodies.subjects.name(subject_of("", "", key))
            payloads.append({"key": key, "why": which.why})
        else:
            subject = _subject(instance, which)
        erasing.check_holds(connection, subject)
        payloads.append({"subject": subject, "why": which.why, "by": actor.name})
        store.append(connection, now, "erase", actor.name, what)
        made = [jobs.add(connection, instance.new_id(), "capture.erase", one, now) for one in payloads]
    return Erased(jobs=tuple(made))


def _call(text: str) -> bytes:
    try:
        return from_text(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no call id", hint="ids look like call_0192f3...: freehold calls tail") from None


def _subject(instance: Instance, which: Wanted) -> str:
    """The name in rows of a person as callers name them."""
    return instance.bodies.subjects.name(subject_of(which.subject, which.team, ""))


def _view(hold: Hold) -> HoldView:
    return HoldView(
        id=hold.id,
        scope=hold.scope.told,
        why=hold.why,
        made_at=iso(hold.made_at),
        made_by=hold.made_by,
        released_at=None if hold.released_at is None else iso(hold.released_at),
        released_by=hold.released_by,
        released_why=hold.released_why,
    )
