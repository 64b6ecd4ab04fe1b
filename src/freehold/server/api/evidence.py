"""What this instance's records show of a framework's controls, over the management API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from freehold import __version__
from freehold.assurance.evidence import bundle, judge
from freehold.assurance.evidence.gather import gather
from freehold.assurance.evidence.report import page
from freehold.assurance.evidence.types import Control, Document
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.settings.assured import asked

router = APIRouter(prefix="/api/evidence", tags=["evidence"], dependencies=[Depends(Allowed("audit:read"))])

FORMS = (Control, Document)
Framework = Literal["eu-ai-act", "hipaa", "iso-42001", "nist-ai-rmf", "owasp-llm", "pci-dss", "soc2"]
Days = Annotated[int, Query(ge=1, le=3650, description="Period of calls and changes.")]
Quick = Annotated[bool, Query(description="Leave the bytes of owned models unread; what rests on them is unknown.")]


@router.get("", responses=described(list[Control]))
def index(framework: Framework | None = None) -> Response:
    """The controls, what each is answered by, and what it leaves to a person."""
    return answer(judge.controls(framework or ""))


@router.get("/{framework}", responses=described(Document))
def show(framework: Framework, instance: Served, days: Days = 90, *, quick: Quick = False) -> Response:
    """Every control of a framework, answered now; the facts stand in it, and its signature in a header."""
    data = bundle.told(_document(framework, instance, days, quick=quick))
    headers = {"x-freehold-signature": instance.identity.sign(data).hex(), "cache-control": "no-store"}
    return Response(data, media_type="application/json", headers=headers)


@router.get("/{framework}/page", response_model=None)
def shown(framework: Framework, instance: Served, days: Days = 90, *, quick: Quick = False) -> Response:
    """The same as a page for people."""
    told = page(_document(framework, instance, days, quick=quick))
    return Response(told, media_type="text/html; charset=utf-8", headers={"cache-control": "no-store"})


def _document(framework: str, instance: Instance, days: int, *, quick: bool) -> Document:
    now = float(int(instance.clock()))
    facts = gather(asked(instance.home, instance.settings, now, days, bytes_too=not quick))
    return judge.document(framework, judge.controls(framework), facts, __version__, instance.identity.key_id)
