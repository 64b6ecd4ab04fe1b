"""Break-glass over the management API: asked for by one person, approved by another, over by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.clock import iso
from freehold.identity import store as keys
from freehold.identity.errors import NotAPerson
from freehold.identity.people import break_glass, store
from freehold.identity.people.types import BreakGlass
from freehold.identity.roles import demand
from freehold.server.actors import Actor, Allowed, Served

router = APIRouter(prefix="/api/break-glass", tags=["people"])

READ = [Depends(Allowed("people:read"))]
Asker = Annotated[Actor, Depends(Allowed("break-glass:request"))]
Approver = Annotated[Actor, Depends(Allowed("break-glass:approve"))]


class NewBreakGlass(BaseModel):
    """What is asked for, and why."""

    model_config = ConfigDict(extra="forbid")

    right: str = Field(description="`owner` for oneself, or a named right for a key.")
    key: str = Field("", max_length=128, description="Name of the key that is to have a named right.")
    why: str = Field(min_length=1, max_length=512, description="Reason; kept in the audit.")
    seconds: float = Field(900.0, gt=0, description="How long, from its approval on.")


class BreakGlassView(BaseModel):
    """One break-glass."""

    id: str
    right: str
    key: str
    why: str
    state: str
    """`waiting`, `lapsed`, `active`, `over` or `ended`."""
    seconds: float
    asked_by: str
    asked_at: str
    approved_by: str
    until: str | None
    ended_by: str


@router.get("", dependencies=READ)
def index(instance: Served) -> list[BreakGlassView]:
    """Every break-glass, newest first."""
    with instance.reading() as connection:
        return [_view(connection, one, instance.clock()) for one in store.every_break_glass(connection)]


@router.post("", status_code=201)
def ask(new: NewBreakGlass, instance: Served, actor: Asker) -> BreakGlassView:
    """Ask for a right. It gives nothing until another person approves it."""
    if not actor.person:
        raise NotAPerson("break-glass is asked for by a person")
    now, most = instance.clock(), instance.settings.identity.break_glass_minutes * 60
    content: dict[str, object] = {"right": new.right, "key": new.key, "why": new.why, "seconds": str(new.seconds)}
    with instance.noting(actor.name, "break_glass.request", content) as connection:
        made = BreakGlass(
            id=f"glass_{instance.random(8).hex()}",
            right=new.right,
            key=keys.by_name(connection, new.key).id if new.key else "",
            why=new.why,
            seconds=new.seconds,
            asked_by=actor.person,
            asked_at=now,
        )
        store.put_break_glass(connection, break_glass.asked(made, actor.role, most))
        content["id"] = made.id
        return _view(connection, made, now)


@router.post("/{name}/approve")
def approve(name: str, instance: Served, actor: Approver) -> BreakGlassView:
    """Put what another person asked for in force, from now on."""
    if not actor.person:
        raise NotAPerson("break-glass is approved by a person")
    now = instance.clock()
    content: dict[str, object] = {"id": name}
    with instance.changing(actor.name, "break_glass.approve", content) as connection:
        made = break_glass.approved(store.one_break_glass(connection, name), actor.person, now)
        store.put_break_glass(connection, made)
        content |= {"right": made.right, "key": made.key, "for": made.asked_by, "until": iso(now + made.seconds)}
        return _view(connection, made, now)


@router.post("/{name}/end")
def end(name: str, instance: Served, actor: Asker) -> BreakGlassView:
    """End a break-glass before its time, or withdraw one that waits; who may approve them may end others' too."""
    now = instance.clock()
    with instance.changing(actor.name, "break_glass.end", {"id": name}) as connection:
        before = store.one_break_glass(connection, name)
        if before.asked_by != actor.person:
            demand(actor.role, "break-glass:approve")
        made = break_glass.ended(before, actor.name, now)
        store.put_break_glass(connection, made)
        return _view(connection, made, now)


def _view(connection: Connection, one: BreakGlass, now: float) -> BreakGlassView:
    people = {each: store.by_id(connection, each).known_as for each in (one.asked_by, one.approved_by) if each}
    return BreakGlassView(
        id=one.id,
        right=one.right,
        key=keys.by_name(connection, one.key).name if one.key else "",
        why=one.why,
        state=break_glass.state(one, now),
        seconds=one.seconds,
        asked_by=people[one.asked_by],
        asked_at=iso(one.asked_at),
        approved_by=people.get(one.approved_by, ""),
        until=None if one.until is None else iso(one.until),
        ended_by=one.ended_by,
    )
