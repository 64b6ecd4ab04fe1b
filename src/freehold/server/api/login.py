"""Signing in, signing out, and who one is. To begin and finish a sign-in takes no token: the issuer says who comes."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.crypto import sha256
from freehold.core.db import writing
from freehold.identity.errors import BadIdToken, IssuerFailed, NotAdmitted, NotAPerson, SignInRefused
from freehold.identity.oidc.issuer import Issuer
from freehold.identity.people import sign_in, store
from freehold.identity.people.admission import Rules, Told, told_by
from freehold.identity.people.types import Person
from freehold.identity.roles import permissions
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.sign_in import Issuers, rules_of

router = APIRouter(prefix="/api", tags=["people"])

Asker = Annotated[Actor, Depends(Allowed("self:read"))]
Leaver = Annotated[Actor, Depends(Allowed("self:end"))]


def issuer_of(request: Request) -> Issuer:
    """The issuer of the settings in force. Raises SignInOff."""
    found = request.app.state.issuers
    assert isinstance(found, Issuers)
    return found.current()


Asked = Annotated[Issuer, Depends(issuer_of)]


class SignInPlace(BaseModel):
    """Whether one can sign in here, and where the browser is to return to."""

    enabled: bool
    issuer: str
    redirect_port: int
    """Loopback port the issuer knows; 0 where any will do."""


class SignInStart(BaseModel):
    """Where the browser is to return to."""

    model_config = ConfigDict(extra="forbid")

    redirect_uri: str = Field(max_length=256, description="`http://127.0.0.1:PORT/callback`.")


class SignInBegun(BaseModel):
    """A sign-in under way: open the address in a browser, keep the ticket."""

    address: str
    state: str
    ticket: str


class SignInEnd(BaseModel):
    """What the browser returned with, and the ticket."""

    model_config = ConfigDict(extra="forbid")

    state: str = Field(max_length=128, description="As the browser brought it back.")
    ticket: str = Field(max_length=128, description="As it was told when the sign-in was begun.")
    code: str = Field("", max_length=4096, description="The issuer's code.")
    iss: str = Field("", max_length=512, description="Who the issuer says it is, where it says so (RFC 9207).")
    error: str = Field("", max_length=256, description="The issuer's own word, where it refused.")


class SignedIn(BaseModel):
    """A session. Its token is shown this once."""

    token: str
    person: str
    name: str
    role: str
    expires_at: str


class Self(BaseModel):
    """Who asks."""

    name: str
    role: str
    permissions: tuple[str, ...]
    person: str
    """Id of who signed in; empty for a key and for the local operator's token."""
    email: str
    groups: tuple[str, ...]
    expires_at: str | None
    """When the session ends."""


@router.get("/login")
def place(instance: Served) -> SignInPlace:
    """Whether and where one signs in; open to all."""
    oidc = instance.settings.identity.oidc
    if oidc is None:
        return SignInPlace(enabled=False, issuer="", redirect_port=0)
    return SignInPlace(enabled=True, issuer=oidc.issuer, redirect_port=oidc.redirect_port)


@router.post("/login", status_code=201)
def begin(start: SignInStart, instance: Served, issuer: Asked) -> SignInBegun:
    """Begin a sign-in; open to all."""
    redirect = sign_in.checked_redirect(start.redirect_uri)
    issuer.metadata()  # asked before the transaction: nothing is locked while another machine answers
    with writing(instance.engine) as connection:
        made = sign_in.begin(connection, redirect, issuer.address, instance.sealer, instance.clock(), instance.random)
    return SignInBegun(address=made.address, state=made.state, ticket=made.ticket)


@router.post("/login/finish")
def finish(given: SignInEnd, instance: Served, issuer: Asked) -> SignedIn:
    """Finish a sign-in; open to who began it."""
    rules, now = rules_of(instance), instance.clock()
    with writing(instance.engine) as connection:
        pending = store.take(connection, sha256(given.state.encode()))
    secrets = sign_in.opened(pending, given.ticket, instance.sealer, now)
    try:
        told = _told(given, secrets, issuer, rules)
    except (BadIdToken, IssuerFailed, NotAdmitted, SignInRefused) as error:
        instance.note("sign-in", "person.refuse", {"why": error.message})
        raise
    with writing(instance.engine) as connection:
        person = sign_in.meet(connection, told, rules, now, instance.random)
    entered = _entered(instance, person, rules)
    return SignedIn(
        token=entered.token,
        person=person.id,
        name=person.known_as,
        role=entered.role,
        expires_at=iso(entered.session.expires_at),
    )


@router.get("/whoami")
def whoami(instance: Served, actor: Asker) -> Self:
    """Who asks, in which role, and until when."""
    told = Self(
        name=actor.name,
        role=actor.role,
        permissions=tuple(sorted(permissions(actor.role))),
        person=actor.person,
        email="",
        groups=(),
        expires_at=None,
    )
    if not actor.person:
        return told
    with instance.reading() as connection:
        person = store.by_id(connection, actor.person)
        session = store.session(connection, actor.session)
    ends = iso(session.expires_at) if session else None
    return told.model_copy(update={"email": person.email, "groups": person.groups, "expires_at": ends})


@router.post("/logout")
def leave(instance: Served, actor: Leaver) -> dict[str, bool]:
    """End the session that asks."""
    if not actor.person:
        raise NotAPerson("there is no session to end")
    with instance.noting(actor.name, "person.sign_out", {"person": actor.person}) as connection:
        store.end_sessions(connection, actor.person, instance.clock(), actor.session)
    return {"ended": True}


def _told(given: SignInEnd, secrets: sign_in.Secrets, issuer: Issuer, rules: Rules) -> Told:
    """What the issuer says of who came. Raises SignInRefused, IssuerFailed, BadIdToken, NotAdmitted."""
    named = issuer.metadata().authorization_response_iss_parameter_supported
    if (given.iss or named) and not hmac.compare_digest(given.iss.encode(), rules.issuer.encode()):
        raise SignInRefused("the browser came back from another issuer")
    if given.error or not given.code:
        raise SignInRefused(f"the issuer did not let this person in: {sign_in.refusal(given.error)}")
    return told_by(issuer.claims(given.code, secrets.nonce, secrets.verifier, secrets.redirect_uri), rules)


def _entered(instance: Instance, person: Person, rules: Rules) -> sign_in.Entered:
    content: dict[str, object] = {"person": person.id, "issuer": person.issuer, "groups": list(person.groups)}
    actor = f"person/{person.known_as}"
    try:
        with instance.noting(actor, "person.sign_in", content) as connection:
            entered = sign_in.enter(connection, person, rules, instance.clock(), instance.random)
            content["role"] = entered.role
    except NotAdmitted as error:
        instance.note(actor, "person.refuse", {"person": person.id, "why": error.message})
        raise
    return entered
