"""Replicas over the management API. What a replica joins with is in the answer that adds it, and never again."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.errors import BadRequest
from freehold.core.section import Name
from freehold.identity.replicas import lifecycle, store
from freehold.identity.replicas.types import Replica
from freehold.ledger.shipping.certificate import certificate
from freehold.ledger.shipping.serve import Joined, joined
from freehold.ledger.shipping.shelf import unfinished
from freehold.server.actors import Actor, Allowed, Served
from freehold.settings.location import read_endpoints

router = APIRouter(prefix="/api/replicas", tags=["replicas"])

READ = [Depends(Allowed("status:read"))]
Writer = Annotated[Actor, Depends(Allowed("replicas:write"))]


class NewReplica(BaseModel):
    """A replica to be added."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class Removal(BaseModel):
    """How a replica is removed."""

    model_config = ConfigDict(extra="forbid")

    lost: bool = Field(default=False, description="It never ships the rest; what it held of budgets counts as spent.")


class ReplicaView(BaseModel):
    """A replica as anybody may see it. `joined_at` is null while it is not connected."""

    id: str
    name: str
    created_at: str
    created_by: str
    joined_at: str | None
    address: str
    journals: int
    """Of its gateways, not known to be here as a whole: those that run, and those that wait to be shipped."""


class Join(BaseModel):
    """What a replica joins with: bytes in base64. It opens sealed bodies and lets calls be served."""

    replica: str
    dock: str
    token: str
    certificate: str
    identity: str
    data_key: str
    format: int = 1


@router.get("", dependencies=READ)
def index(instance: Served) -> list[ReplicaView]:
    """Every replica that was not removed, oldest first."""
    with instance.reading() as connection:
        found = store.serving(connection)
    here = {one.id: one for one in joined(instance.home) or ()}
    waiting = unfinished(instance.home)
    return [_view(one, here.get(one.id), waiting[one.id]) for one in found]


@router.post("", status_code=201)
def add(new: NewReplica, instance: Served, actor: Writer) -> Join:
    """Add a replica. The shares of limits a minute become smaller for every gateway."""
    endpoints = read_endpoints(instance.home)
    if endpoints is None or not endpoints.dock:
        hint = "set [dock] enabled = true, and start the instance again"
        raise BadRequest("this instance lets no replica join", hint=hint)
    content: dict[str, object] = {}
    now = instance.clock()
    with instance.changing(actor.name, "replica.add", content) as connection:
        made, token = lifecycle.add(connection, new.name, actor.name, now, instance.random)
        content["replica"] = made.id
    return Join(
        replica=new.name,
        dock=endpoints.dock,
        token=token,
        certificate=certificate(instance.home, now),
        identity=base64.b64encode(instance.identity.public).decode(),
        data_key=base64.b64encode((instance.home / "data.key").read_bytes()).decode(),
    )


@router.post("/{name}/remove")
def remove(name: str, how: Removal, instance: Served, actor: Writer) -> ReplicaView:
    """Remove a replica: from now on it is told nothing and given nothing, and nothing is taken from it."""
    content: dict[str, object] = {}
    waiting = unfinished(instance.home)
    with instance.changing(actor.name, "replica.remove", content) as connection:
        held = next((waiting[one.id] for one in store.serving(connection) if one.name == name), 0)
        ended = lifecycle.remove(connection, name, instance.clock(), held, lost=how.lost)
        content |= {"replica": ended.id, "lost": ended.lost}
    return _view(ended, None, held)


def _view(one: Replica, here: Joined | None, journals: int) -> ReplicaView:
    return ReplicaView(
        id=one.id,
        name=one.name,
        created_at=iso(one.created_at),
        created_by=one.created_by,
        joined_at=here.since if here else None,
        address=here.address if here else "",
        journals=journals,
    )
