"""Who asks the management API: the holder of the instance's own token, who signed in, or a key whose role allows it.

The console asks in process, as the one who signed in there.
"""

from __future__ import annotations

import hmac
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from freehold.core.crypto import sha256
from freehold.core.errors import ExpiredKey, RevokedKey, Unauthenticated, UnknownKey
from freehold.identity import store
from freehold.identity.console.types import Standing
from freehold.identity.errors import SessionOver
from freehold.identity.keys import digest_of, state
from freehold.identity.people.types import PREFIX
from freehold.identity.roles import APPLICATION, PROVISIONER, demand
from freehold.server.instance import Instance
from freehold.server.sign_in import is_provisioner, signed_in

IN_PROCESS = "freehold.actor"
"""Where the console puts who asks: a member of the ASGI scope, which nothing that comes over a socket can set."""


class Actor(msgspec.Struct, frozen=True):
    """Who, for the audit, and in which role."""

    name: str
    role: str
    person: str = ""
    """Id of who signed in; empty for keys and for the instance's own token, which are nobody in particular."""
    session: bytes = b""
    """Digest of the session's token."""
    standing: Standing | None = None
    """By what they are let in; None for SCIM."""


def instance_of(request: Request) -> Instance:
    """The instance this application serves."""
    found = request.app.state.instance
    assert isinstance(found, Instance)
    return found


Served = Annotated[Instance, Depends(instance_of)]


def actor_of(request: Request, instance: Served) -> Actor:
    """Raises Unauthenticated and its kin."""
    asked_by = request.scope.get(IN_PROCESS)
    if isinstance(asked_by, Actor):
        return asked_by
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("this request carries no token", hint="send 'Authorization: Bearer TOKEN'")
    return actor_showing(instance, request.app.state.token, token)


def actor_showing(instance: Instance, own: str, token: str) -> Actor:
    """Who shows a token; `own` is the instance's. Raises Unauthenticated and its kin."""
    if hmac.compare_digest(token.encode(), own.encode()):
        return _owner(sha256(token.encode()))
    if token.startswith(PREFIX):
        return _person(instance, sha256(token.encode()))
    if is_provisioner(instance.settings.identity, token):
        return Actor("scim", PROVISIONER)
    return _key(instance, digest_of(token))


def actor_by(instance: Instance, own: str, standing: Standing) -> Actor:
    """Who somebody is now that was let in before; `own` is the instance's token. Raises Unauthenticated's kin."""
    if standing.kind == "person":
        return _person(instance, standing.subject)
    if standing.kind == "key":
        return _key(instance, standing.subject)
    if not hmac.compare_digest(standing.subject, sha256(own.encode())):
        raise SessionOver("the instance's own token is another now")
    return _owner(standing.subject)


def _owner(digest: bytes) -> Actor:
    return Actor("owner", "owner", standing=Standing("owner", digest))


def _person(instance: Instance, digest: bytes) -> Actor:
    found = signed_in(instance, digest)
    return Actor(found.name, found.role, found.person.id, found.session.digest, Standing("person", digest))


def _key(instance: Instance, digest: bytes) -> Actor:
    with instance.reading() as connection:
        key = store.by_digest(connection, digest)
    now = instance.clock()
    if key is None:
        raise UnknownKey("this key does not exist here")
    mine = next(one for one in key.secrets if one.digest == digest)
    if state(key, now) == "revoked" or (mine.until is not None and mine.until <= now):
        raise RevokedKey("this key was revoked or rotated away")
    if state(key, now) == "expired":
        raise ExpiredKey("this key has expired")
    role = "application" if key.role == APPLICATION else key.role
    return Actor(f"key/{key.name}", role, standing=Standing("key", digest))


class Allowed:
    """A dependency that lets in actors with a permission and names them to the endpoint."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def __call__(self, actor: Annotated[Actor, Depends(actor_of)]) -> Actor:
        """Raises Forbidden."""
        demand(actor.role, self.permission)
        return actor
