"""Who asks the management API: the holder of the instance's own token, who signed in, or a key whose role allows it."""

from __future__ import annotations

import hmac
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from freehold.core.errors import ExpiredKey, RevokedKey, Unauthenticated, UnknownKey
from freehold.identity import store
from freehold.identity.keys import digest_of, state
from freehold.identity.people.types import PREFIX
from freehold.identity.roles import APPLICATION, PROVISIONER, demand
from freehold.server.instance import Instance
from freehold.server.sign_in import is_provisioner, signed_in


class Actor(msgspec.Struct, frozen=True):
    """Who, for the audit, and in which role."""

    name: str
    role: str
    person: str = ""
    """Id of who signed in; empty for keys and for the instance's own token, which are nobody in particular."""
    session: bytes = b""
    """Digest of the session's token."""


def instance_of(request: Request) -> Instance:
    """The instance this application serves."""
    found = request.app.state.instance
    assert isinstance(found, Instance)
    return found


Served = Annotated[Instance, Depends(instance_of)]


def actor_of(request: Request, instance: Served) -> Actor:
    """Raises Unauthenticated and its kin."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("this request carries no token", hint="send 'Authorization: Bearer TOKEN'")
    if hmac.compare_digest(token.encode(), request.app.state.token.encode()):
        return Actor("owner", "owner")
    if token.startswith(PREFIX):
        found = signed_in(instance, token)
        return Actor(found.name, found.role, found.person.id, found.session.digest)
    if is_provisioner(instance.settings.identity, token):
        return Actor("scim", PROVISIONER)
    return _key(instance, token)


def _key(instance: Instance, token: str) -> Actor:
    with instance.reading() as connection:
        key = store.by_digest(connection, digest_of(token))
    now = instance.clock()
    if key is None:
        raise UnknownKey("this key does not exist here")
    mine = next(one for one in key.secrets if one.digest == digest_of(token))
    if state(key, now) == "revoked" or (mine.until is not None and mine.until <= now):
        raise RevokedKey("this key was revoked or rotated away")
    if state(key, now) == "expired":
        raise ExpiredKey("this key has expired")
    return Actor(f"key/{key.name}", "application" if key.role == APPLICATION else key.role)


class Allowed:
    """A dependency that lets in actors with a permission and names them to the endpoint."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def __call__(self, actor: Annotated[Actor, Depends(actor_of)]) -> Actor:
        """Raises Forbidden."""
        demand(actor.role, self.permission)
        return actor
