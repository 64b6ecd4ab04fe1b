"""The papers of owned models, over the management API: bill of materials, lineage, and what their licences come to."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Response

from freehold.registry.artefacts import Store
from freehold.registry.papers.binding import Binding, Line, bind, line_of
from freehold.registry.papers.bom import MEDIA_TYPE, bom
from freehold.registry.papers.lineage import Ancestor, Step
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.settings.admission import terms

router = APIRouter(prefix="/api/models", tags=["models"], dependencies=[Depends(Allowed("models:read"))])


class Descent(msgspec.Struct, frozen=True):
    """Where a model comes from: the steps that made it, and everything before it, nearest first."""

    name: str
    steps: tuple[Step, ...]
    ancestors: tuple[Ancestor, ...]


FORMS = (Binding, Descent)


@router.get("/{name}/bom", responses=described(dict[str, Any]))
def bill(name: str, instance: Served) -> Response:
    """A model's bill of materials, CycloneDX 1.6: files, licence and duties, lineage, data, card."""
    line = _line(instance, name)
    found = bom(line.manifest, bind(line, terms(instance.loaded)).licence, line.ancestors, line.card, line.papers)
    return Response(msgspec.json.encode(found), media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})


@router.get("/{name}/lineage", responses=described(Descent))
def descent(name: str, instance: Served) -> Response:
    """The steps that made a model, their signatures checked, and everything it comes from."""
    line = _line(instance, name)
    return answer(Descent(name, line.steps, line.ancestors))


@router.get("/{name}/licence", responses=described(Binding))
def licence(name: str, instance: Served) -> Response:
    """What binds a model by the settings in force: its licence, and those of all it comes from."""
    return answer(bind(_line(instance, name), terms(instance.loaded)))


def _line(instance: Instance, name: str) -> Line:
    return line_of(Store(instance.home / "store", instance.identity), name)
