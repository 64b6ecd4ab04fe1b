"""How a model is best served here, and the certified matrix of what was found, over the management API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.errors import BadRequest, NotFound
from freehold.evals.optimising import KIND, Order, check
from freehold.grading.choose import MOST, spec_for
from freehold.grading.registry import check as check_grader
from freehold.grading.types import Spec
from freehold.jobs import store as jobs
from freehold.registry.artefacts import Store
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.serving.certified import Cell, Slo, cells
from freehold.serving.tradeoff import picture
from freehold.workflows.exchange import exchange
from freehold.workflows.known import store as workflows
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

router = APIRouter(tags=["models"], dependencies=[Depends(Allowed("models:read"))])

FORMS = (Cell,)

Writer = Annotated[Actor, Depends(Allowed("models:write"))]
_Positive = Annotated[int, Field(ge=1, le=4096)]


class NewOptimisation(BaseModel):
    """What is to be found out about a model. Bounds that are 0 bound nothing."""

    model_config = ConfigDict(extra="forbid")

    types: tuple[str, ...] = Field(("Q4_0", "Q5_1", "Q8_0"), max_length=9, description="To make beside it as it is.")
    workflow: str = Field("", description="Whose recorded calls grade the variants; empty for speed alone.")
    grader: str = Field("", description="Name of the grader; chosen from the answers' shape where empty.")
    limit: int = Field(200, ge=1, le=10_000, description="Most recorded calls a variant is graded on.")
    latency: float = Field(0, ge=0, description="Seconds a call may take, 95th percentile.")
    tokens_per_second: float = Field(0, ge=0, description="Least output tokens a second, over all calls.")
    quality: float = Field(0, ge=0, le=1, description="Least mean score.")
    concurrency: int = Field(2, ge=1, le=64, description="Calls at once while speed is measured.")
    calls: int = Field(12, ge=1, le=1000, description="Calls that each speed is measured on.")
    threads: tuple[_Positive, ...] = Field((), max_length=8, description="Threads to try on the chosen variant.")
    slots: tuple[_Positive, ...] = Field((), max_length=8, description="Calls answered at once, to try.")
    batches: tuple[_Positive, ...] = Field((), max_length=8, description="Tokens of prompts read at once, to try.")
    caches: tuple[str, ...] = Field((), max_length=2, description="Types of the cache to try: f16, q8_0.")


class Optimising(BaseModel):
    """The job that does it; see /api/jobs."""

    job: str


@router.post("/api/models/{name}/optimise")
def start(name: str, new: NewOptimisation, instance: Served, actor: Writer) -> Optimising:
    """Have the trainer make, serve and measure variants of a model; the result is a cell of the certified matrix."""
    manifest = Store(instance.home / "store", instance.identity).show(name)
    if bad := sorted(set(new.caches) - {"f16", "q8_0"}):
        raise BadRequest(f"there is no type of the cache {bad[0]!r}", hint="name f16 or q8_0", param="caches")
    workflow, grader = "", None
    if new.workflow:
        with instance.reading() as connection:
            workflow = workflows.resolve(connection, new.workflow).id
        grader = Spec(new.grader, {}) if new.grader else _proposed(instance, workflow)
        check_grader(grader)
    elif new.quality or new.grader:
        raise BadRequest("quality is graded on a workflow's calls", hint="name it: --workflow", param="workflow")
    order = Order(
        model=name,
        workflow=workflow,
        grader=grader,
        slo=Slo(latency=new.latency, tokens_per_second=new.tokens_per_second, quality=new.quality),
        **new.model_dump(exclude={"workflow", "grader", "latency", "tokens_per_second", "quality"}),
    )
    check(order, manifest)
    content: dict[str, object] = {"model": name, "sha256": manifest.files[0].sha256, "types": list(order.types)}
    with instance.changing(actor.name, "model.optimise", content) as connection:
        payload = {"order": msgspec.to_builtins(order)}
        return Optimising(job=jobs.add(connection, instance.new_id(), KIND, payload, instance.clock()))


@router.get("/api/certified", responses=described(list[Cell]))
def index(instance: Served) -> Response:
    """The certified matrix: every signed cell, newest first."""
    return answer(cells(instance.home, instance.identity))


@router.get("/api/certified/{cell}/picture")
def drawn(cell: str, instance: Served) -> Response:
    """The trade-off of one cell as SVG."""
    found = next((one for one in cells(instance.home, instance.identity) if one.id == cell), None)
    if found is None:
        raise NotFound(f"there is no cell {cell!r}", hint="see them: freehold models certified")
    return Response(picture(found.variants, found.chosen), media_type="image/svg+xml")


def _proposed(instance: Instance, workflow: str) -> Spec:
    found = Shelf(instance.engine, instance.bodies).records(Which(workflow=workflow, answered=True))
    return spec_for(exchange(one) for one, _ in zip(found, range(MOST), strict=False))
