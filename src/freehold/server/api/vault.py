"""Keys of the pseudonym vault over the management API: which tenants have one, and their end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.guard.keys import VaultKeys
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance

router = APIRouter(prefix="/api/vault", tags=["vault"])

READ = [Depends(Allowed("keys:read"))]
Eraser = Annotated[Actor, Depends(Allowed("bodies:erase"))]


class VaultKeyView(BaseModel):
    """A tenant that has a key; nobody is shown the key."""

    tenant: str
    made_at: str


class VaultErasure(BaseModel):
    """Why a key is destroyed; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=128)


class VaultErased(BaseModel):
    """The tenant whose key is gone."""

    tenant: str


@router.get("", dependencies=READ)
def index(instance: Served) -> list[VaultKeyView]:
    """Every tenant that has a key, by name."""
    return [VaultKeyView(tenant=one.tenant, made_at=iso(one.made_at)) for one in _keys(instance).held()]


@router.post("/{tenant:path}/erase")
def erase(tenant: str, why: VaultErasure, instance: Served, actor: Eraser) -> VaultErased:
    """Destroy a tenant's key: what was pseudonymised with it can no longer be led back or drawn again.

    Answers under way are still restored. The next pseudonymised call of the tenant makes a new key.
    """
    with instance.changing(actor.name, "vault.erase", {"tenant": tenant, "why": why.why}):
        _keys(instance).erase(tenant)
    return VaultErased(tenant=tenant)


def _keys(instance: Instance) -> VaultKeys:
    return VaultKeys(instance.home / "vault", instance.random, instance.clock)
