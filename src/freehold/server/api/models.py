"""Owned models in the store, over the management API."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Depends, Response

from freehold.core.errors import BadArtefact
from freehold.registry.artefacts import Manifest, Store
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/models", tags=["models"], dependencies=[Depends(Allowed("models:read"))])


class Verified(msgspec.Struct, frozen=True):
    """Whether a model's bytes are what its signed manifest says."""

    name: str
    good: bool
    reason: str


FORMS = (Manifest, Verified)


@router.get("", responses=described(list[Manifest]))
def index(instance: Served) -> Response:
    """Every model's signed manifest."""
    return answer(_store(instance).list())


@router.get("/{name}", responses=described(Manifest))
def show(name: str, instance: Served) -> Response:
    """One model's signed manifest."""
    return answer(_store(instance).show(name))


@router.post("/{name}/verify", responses=described(Verified))
def verify(name: str, instance: Served) -> Response:
    """Read every byte of a model again and compare."""
    store = _store(instance)
    store.show(name)
    try:
        store.verify(name)
    except BadArtefact as error:
        return answer(Verified(name, good=False, reason=error.message))
    return answer(Verified(name, good=True, reason="signature and every byte match"))


def _store(instance: Instance) -> Store:
    return Store(instance.home / "store", instance.identity)
