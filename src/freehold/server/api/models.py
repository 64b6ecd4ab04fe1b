"""Owned models in the store, over the management API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from freehold.core.errors import BadArtefact, Conflict, NotFound
from freehold.registry.artefacts import Manifest, Store
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.serving.deployments import deployed
from freehold.serving.following import wished
from freehold.serving.wanted import Standing, Wanted, listed, standing, unwant, want

router = APIRouter(prefix="/api/models", tags=["models"], dependencies=[Depends(Allowed("models:read"))])


class Verified(msgspec.Struct, frozen=True):
    """Whether a model's bytes are what its signed manifest says."""

    name: str
    good: bool
    reason: str


class Model(Manifest, frozen=True, kw_only=True):
    """A model's signed manifest, and the engines that serve it or were asked to."""

    deployments: tuple[Standing, ...] = ()


FORMS = (Model, Standing, Verified)

Writer = Annotated[Actor, Depends(Allowed("models:write"))]


class NewDeployment(BaseModel):
    """A model to serve under a target's name. Numbers that are 0 are taken from [serving]."""

    model_config = ConfigDict(extra="forbid")

    target: str
    threads: int = 0
    context: int = 0
    slots: int = 0


@router.get("", responses=described(list[Model]))
def index(instance: Served) -> Response:
    """Every model's signed manifest, with the engines that serve it."""
    standings = _standings(instance)
    return answer([_model(one, standings) for one in _store(instance).list()])


@router.get("/deployments", responses=described(list[Standing]))
def deployments(instance: Served) -> Response:
    """Every engine that runs or is wanted, and how far it has come."""
    return answer(_standings(instance))


@router.post("/deployments/{target}/undeploy", responses=described(Standing))
def undeploy(target: str, instance: Served, actor: Writer) -> Response:
    """Take a target out of the routes, let its calls end, and stop its engine."""
    told = next((one for one in _standings(instance) if one.name == target), None)
    if not unwant(instance.home, target):
        raise NotFound(f"nobody deployed {target!r}", hint="see them: freehold models list")
    instance.note(actor.name, "model.undeploy", {"target": target})
    return answer(told or Standing(name=target, model="", phase="stopping"))


@router.get("/{name}", responses=described(Model))
def show(name: str, instance: Served) -> Response:
    """One model's signed manifest, with the engines that serve it."""
    return answer(_model(_store(instance).show(name), _standings(instance)))


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


@router.post("/{name}/deploy", responses=described(Standing))
def deploy(name: str, new: NewDeployment, instance: Served, actor: Writer) -> Response:
    """Serve a model under a target's name, now and after every start; it is led to once it answers.

    `NAME@CHANNEL` serves what stands in a channel, and what stands there later.
    """
    store = _store(instance)
    wish = Wanted(name=new.target, model=name, threads=new.threads, context=new.context, slots=new.slots)
    wish = wished(store, wish)
    want(instance.home, wish)
    told: dict[str, object] = {"model": wish.model, "target": new.target, "sha256": wish.sha256}
    instance.note(actor.name, "model.deploy", told | ({"follows": wish.follows} if wish.follows else {}))
    return answer(Standing(name=new.target, model=wish.model, sha256=wish.sha256, phase="starting"))


@router.post("/{name}/remove", responses=described(Manifest))
def remove(name: str, instance: Served, actor: Writer) -> Response:
    """Forget a model and its bytes."""
    store = _store(instance)
    serving = [one.name for one in _standings(instance) if one.model == name]
    serving += [at for at, (wish, _) in listed(instance.home).items() if wish is not None and wish.model == name]
    if serving:
        hint = "the embedded models stay" if serving[0] in _embedded(instance) else "freehold models undeploy TARGET"
        raise Conflict(f"{name} is served as {serving[0]}", hint=hint)
    gone = store.remove(name)
    instance.note(actor.name, "model.remove", {"model": name, "sha256": gone.files[0].sha256})
    return answer(gone)


def _standings(instance: Instance) -> tuple[Standing, ...]:
    """Of the embedded engines too, which are always wanted."""
    told = standing(instance.home)
    names = {one.name for one in told}
    rest = [one for one in deployed(instance.home / "run") if one.name not in names]
    return (*(Standing(name=one.name, model=one.model, phase="ready") for one in rest), *told)


def _embedded(instance: Instance) -> set[str]:
    wanted = listed(instance.home)
    return {one.name for one in deployed(instance.home / "run") if one.name not in wanted}


def _model(manifest: Manifest, standings: tuple[Standing, ...]) -> Model:
    found = tuple(one for one in standings if one.model.partition("@")[0] == manifest.name)
    return Model(**msgspec.structs.asdict(manifest), deployments=found)


def _store(instance: Instance) -> Store:
    return Store(instance.home / "store", instance.identity)
