"""People over the management API: who signed in, in which role, with which sessions; roles given and access taken."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from freehold.core.clock import iso
from freehold.core.errors import BadRequest
from freehold.identity.errors import NotAdmitted, SignInOff
from freehold.identity.people import break_glass, store
from freehold.identity.people.admission import Rules, admit, role_of
from freehold.identity.people.types import Person
from freehold.identity.roles import ROLES, demand
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.sign_in import rules_of

router = APIRouter(prefix="/api/people", tags=["people"])

READ = [Depends(Allowed("people:read"))]
Writer = Annotated[Actor, Depends(Allowed("people:write"))]
Owner = Annotated[Actor, Depends(Allowed("people:admin"))]


class RoleGiven(BaseModel):
    """The role an owner gives, whatever the groups say."""

    model_config = ConfigDict(extra="forbid")

    role: str | None = Field(description="One of the roles; null lets the groups decide again.")


class Revocation(BaseModel):
    """How much is taken away."""

    model_config = ConfigDict(extra="forbid")

    sessions_only: bool = Field(default=False, description="End the sessions; the person may sign in again.")


class PersonView(BaseModel):
    """A person."""

    id: str
    name: str
    """What the audit calls them."""
    full_name: str
    email: str
    issuer: str
    subject: str
    state: str
    """`active`, `revoked`, `deactivated` (by the directory) or `without a role`."""
    role: str
    """Under the rules in force."""
    role_from: str
    """`owner` (who gave it), `groups`, `default`, or empty."""
    groups: tuple[str, ...]
    sessions: int
    """How many count now."""
    signed_in_at: str | None


@router.get("", dependencies=READ)
def index(instance: Served) -> list[PersonView]:
    """Everybody who signed in or is known to the directory, oldest first."""
    with instance.reading() as connection:
        known = Known.of(connection, instance)
        return [_view(one, known) for one in store.everybody(connection)]


@router.get("/{name}", dependencies=READ)
def show(name: str, instance: Served) -> PersonView:
    """One person by e-mail address, user name or id."""
    with instance.reading() as connection:
        return view(connection, store.by_name(connection, name), instance)


@router.post("/{name}/role")
def role(name: str, given: RoleGiven, instance: Served, actor: Owner) -> PersonView:
    """Give a person a role, or let their groups decide again. It counts from their next request on."""
    if given.role is not None and given.role not in ROLES:
        raise BadRequest(f"{given.role!r} is no role here", hint=f"use one of {', '.join(ROLES)}", param="role")
    content: dict[str, object] = {"role": given.role or "by groups"}
    with instance.noting(actor.name, "person.role", content) as connection:
        person = store.by_name(connection, name)
        content |= {"person": person.id, "name": person.known_as, "before": person.pinned or "by groups"}
        store.put(connection, _with(person, pinned=given.role or ""))
        return view(connection, store.by_id(connection, person.id), instance)


@router.post("/{name}/revoke")
def revoke(name: str, how: Revocation, instance: Served, actor: Writer) -> PersonView:
    """End every session of a person and what break-glass gave them, at once; and keep them out, unless told not to."""
    now = instance.clock()
    content: dict[str, object] = {"sessions_only": how.sessions_only}
    with instance.changing(actor.name, "person.revoke", content) as connection:
        person = store.by_name(connection, name)
        if "owner" in (Known.of(connection, instance).role(person), person.pinned):
            demand(actor.role, "people:admin")
        ended = store.end_sessions(connection, person.id, now)
        content |= {"person": person.id, "name": person.known_as, "sessions": ended}
        end_break_glass(connection, person.id, actor.name, now)
        if not how.sessions_only and person.revoked_at is None:
            store.put(connection, _with(person, revoked_at=now))
        return view(connection, store.by_id(connection, person.id), instance)


@router.post("/{name}/restore")
def restore(name: str, instance: Served, actor: Owner) -> PersonView:
    """Let a person sign in again whose access was taken away."""
    content: dict[str, object] = {}
    with instance.noting(actor.name, "person.restore", content) as connection:
        person = store.by_name(connection, name)
        content |= {"person": person.id, "name": person.known_as}
        store.put(connection, _with(person, revoked_at=None))
        return view(connection, store.by_id(connection, person.id), instance)


def end_break_glass(connection: Connection, person: str, actor: str, now: float) -> None:
    """End what a person asked for, waiting or active."""
    for one in store.every_break_glass(connection, now - break_glass.LONGEST_SECONDS):
        if one.asked_by == person and break_glass.state(one, now) in ("waiting", "active"):
            store.put_break_glass(connection, break_glass.ended(one, actor, now))


class Known(msgspec.Struct, frozen=True):
    """What is known of all people at once."""

    rules: Rules | None
    groups: dict[str, tuple[str, ...]]
    sessions: dict[str, int]

    @classmethod
    def of(cls, connection: Connection, instance: Instance) -> Known:
        """As it is now."""
        try:
            rules: Rules | None = rules_of(instance)
        except SignInOff:
            rules = None
        return cls(rules, store.memberships(connection), store.lasting_sessions(connection, instance.clock()))

    def role(self, person: Person) -> str:
        """The role a person has now; empty where they are not admitted."""
        if self.rules is None:
            return ""
        try:
            return admit(person, self.groups.get(person.id, ()), self.rules)
        except NotAdmitted:
            return ""

    def source(self, person: Person) -> str:
        """Whence that role comes."""
        if person.pinned or self.rules is None:
            return "owner" if person.pinned else ""
        rules = msgspec.structs.replace(self.rules, default_role="")
        return "groups" if role_of(person, self.groups.get(person.id, ()), rules) else "default"


def view(connection: Connection, person: Person, instance: Instance) -> PersonView:
    """A person as those see them who may."""
    return _view(person, Known.of(connection, instance))


def _view(person: Person, known: Known) -> PersonView:
    role = known.role(person)
    return PersonView(
        id=person.id,
        name=person.known_as,
        full_name=person.name,
        email=person.email,
        issuer=person.issuer,
        subject=person.subject,
        state=_state(person, role),
        role=role,
        role_from=known.source(person) if role else "",
        groups=tuple(sorted({*person.groups, *known.groups.get(person.id, ())})),
        sessions=known.sessions.get(person.id, 0),
        signed_in_at=None if person.signed_in_at is None else iso(person.signed_in_at),
    )


def _state(person: Person, role: str) -> str:
    if person.revoked_at is not None:
        return "revoked"
    return "deactivated" if not person.active else "active" if role else "without a role"


def _with(person: Person, **changes: object) -> Person:
    return msgspec.structs.replace(person, **changes)
