"""Engines beside the embedded ones, and the adapters they are asked to load, over the management API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from freehold.core.errors import BadArtefact, Conflict, NotFound
from freehold.registry.artefacts import Store
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.structs import answer, described
from freehold.serving.attachments import seen
from freehold.serving.following import wished
from freehold.serving.wanted import Seen, Standing, Wanted, listed, want

router = APIRouter(prefix="/api/engines", tags=["engines"], dependencies=[Depends(Allowed("models:read"))])

FORMS = (Seen,)

Writer = Annotated[Actor, Depends(Allowed("models:write"))]


class NewAdapter(BaseModel):
    """An adapter of the store to load under a target's name."""

    model_config = ConfigDict(extra="forbid")

    model: str
    target: str


@router.get("", responses=described(list[Seen]))
def index(instance: Served) -> Response:
    """Every engine of the settings: how it is, what it serves, how busy it is."""
    return answer(seen(instance.home / "run"))


@router.post("/{name}/adapters", responses=described(Standing))
def load(name: str, new: NewAdapter, instance: Served, actor: Writer) -> Response:
    """Have an engine load an adapter while it serves; calls are led to it once it has."""
    engines = instance.settings.engines
    if name not in engines:
        raise NotFound(f"there is no engine {name!r}", hint="see them: freehold deploy engines")
    if new.target == f"owned-{name}" or any(new.target in one.adapters for one in engines.values()):
        raise Conflict(f"{new.target} stands in freehold.toml", hint="choose another target, or change it there")
    before, _ = listed(instance.home).get(new.target, (None, 0))
    if before is not None and before.engine != name:
        where = f"engine {before.engine}" if before.engine else "the embedded engine"
        raise Conflict(f"{new.target} is served by {where}", hint=f"freehold deploy stop {new.target}")
    store = Store(instance.home / "store", instance.identity)
    wish = wished(store, Wanted(name=new.target, model=new.model, engine=name))
    manifest = store.show(wish.model)
    if manifest.kind != "adapter":
        raise BadArtefact(f"{new.model} is no adapter", hint="a model of its own needs an engine of its own")
    want(instance.home, wish)
    content: dict[str, object] = {"model": wish.model, "target": new.target, "sha256": wish.sha256, "engine": name}
    instance.note(actor.name, "model.deploy", content | ({"follows": wish.follows} if wish.follows else {}))
    return answer(Standing(name=new.target, model=wish.model, sha256=wish.sha256, phase="starting"))
