"""The console's door: links that sign one browser in, and the browsers that are signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from freehold.core.clock import iso
from freehold.core.errors import Forbidden, NotFound
from freehold.identity.console import sessions, store
from freehold.identity.console.types import Session
from freehold.identity.people import store as people
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance

router = APIRouter(prefix="/api/console", tags=["console"])

Asker = Annotated[Actor, Depends(Allowed("self:read"))]
READ = [Depends(Allowed("people:read"))]
Ender = Annotated[Actor, Depends(Allowed("people:write"))]
PLACE = "/console/sign-in"


class NewLink(BaseModel):
    """A link that signs one browser in, as who asked for it. Shown this once."""

    path: str
    """To be appended to the address of the management API."""
    expires_at: str


class BrowserView(BaseModel):
    """A browser that is signed in."""

    id: str
    by: str
    """`owner`, `key` or `person`."""
    who: str
    """The person's name; empty for others."""
    made_at: str
    seen_at: str
    expires_at: str


@router.post("/links", status_code=201)
def link(instance: Served, actor: Asker) -> NewLink:
    """Make a link to the console: it counts once, for fifteen minutes, and signs in whoever opens it as the asker."""
    if actor.standing is None:
        raise Forbidden("nobody stands behind this token that could look", hint="use a person's session, or a key")
    now = instance.clock()
    with instance.noting(actor.name, "console.link", {"by": actor.standing.kind}) as connection:
        word = sessions.link(connection, actor.standing, now, instance.random)
    return NewLink(path=f"{PLACE}?link={word}", expires_at=iso(now + sessions.LINK_SECONDS))


@router.get("/sessions", dependencies=READ)
def browsers(instance: Served) -> list[BrowserView]:
    """Browsers that are signed in, newest first."""
    return [_view(instance, one) for one in _lasting(instance)]


@router.post("/sessions/{name}/revoke")
def revoke(name: str, instance: Served, actor: Ender) -> dict[str, bool]:
    """Sign a browser out."""
    with instance.noting(actor.name, "console.revoke", {"session": name}) as connection:
        if not store.end(connection, name, instance.clock()):
            raise NotFound(f"no browser {name!r} is signed in", hint="list them: freehold console sessions")
    return {"ended": True}


def _lasting(instance: Instance) -> tuple[Session, ...]:
    now = instance.clock()
    with instance.reading() as connection:
        found = store.lasting(connection, now)
    return tuple(one for one in found if one.seen_at + sessions.IDLE_SECONDS > now)


def _view(instance: Instance, one: Session) -> BrowserView:
    who = ""
    if one.standing.kind == "person":
        with instance.reading() as connection:
            session = people.session(connection, one.standing.subject)
            who = people.by_id(connection, session.person).known_as if session else ""
    return BrowserView(
        id=one.id,
        by=one.standing.kind,
        who=who,
        made_at=iso(one.made_at),
        seen_at=iso(one.seen_at),
        expires_at=iso(one.expires_at),
    )
