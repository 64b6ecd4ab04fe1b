"""Advisories, and what they mean for what is here, over the management API."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold import __version__
from freehold.assurance.errata import feeds, inventory
from freehold.assurance.errata.descent import with_ancestors
from freehold.assurance.errata.matching import matched
from freehold.assurance.errata.patches import PATCHES, VirtualPatch, held_off
from freehold.assurance.errata.types import Advisory, Match
from freehold.core.crypto import Verifier
from freehold.core.errors import NotFound
from freehold.registry.artefacts import Store
from freehold.registry.papers.binding import lines
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.serving.deployments import deployed

router = APIRouter(prefix="/api/errata", tags=["errata"], dependencies=[Depends(Allowed("models:read"))])

Writer = Annotated[Actor, Depends(Allowed("models:write"))]


class AdvisoryView(Advisory, frozen=True, kw_only=True):
    """An advisory, and the virtual patch there is for it, if any."""

    patch: VirtualPatch | None = None


class Taken(msgspec.Struct, frozen=True):
    """What a document held."""

    name: str
    sha256: str
    signer: str
    advisories: tuple[str, ...]


FORMS = (AdvisoryView, Match, Taken)


class NewDocument(BaseModel):
    """A CSAF or OSV document, as it came, with its signature and the key that made it, where it has one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    content: str = Field(description="The document's text.")
    signature: str = Field("", pattern=r"^([0-9a-f]{128})?$", description="Ed25519, of the text, in hex.")
    key: str = Field("", pattern=r"^([0-9a-f]{64})?$", description="Public key that made the signature, in hex.")


@router.get("", responses=described(list[Match]))
def index(instance: Served) -> Response:
    """Every advisory that may be about something here, the most urgent first."""
    return answer(standing(instance))


@router.get("/advisories", responses=described(list[AdvisoryView]))
def advisories(instance: Served) -> Response:
    """Every advisory known here."""
    return answer([_view(one) for one in feeds.everything(instance.home)])


@router.get("/advisories/{name}", responses=described(AdvisoryView))
def show(name: str, instance: Served) -> Response:
    """One advisory, by its id or another name it goes by."""
    for one in feeds.everything(instance.home):
        if name in (one.id, *one.aliases):
            return answer(_view(one))
    raise NotFound(f"no advisory {name[:60]!r} is known here", hint="see them: freehold errata list")


@router.post("/documents", responses=described(Taken))
def take(new: NewDocument, instance: Served, actor: Writer) -> Response:
    """Take in a document of advisories; it is marked with the key only where the signature holds."""
    data = new.content.encode()
    if new.key:
        Verifier(bytes.fromhex(new.key)).verify(bytes.fromhex(new.signature), data)
    document = feeds.take(instance.home, new.name, data, new.key)
    taken = Taken(document.name, document.sha256, document.signer, tuple(one.id for one in document.advisories))
    instance.note(actor.name, "errata.take", {"document": taken.sha256, "signer": taken.signer})
    return answer(taken)


def standing(instance: Instance) -> tuple[Match, ...]:
    """What is known of everything that is here."""
    found = feeds.everything(instance.home)
    store = Store(instance.home / "store", instance.identity)
    served = [one.model for one in deployed(instance.home / "run") if one.kind != "classifier"]
    embedded = {name: inventory.EMBEDDED for one in served for name in (one, one.partition("@")[0])}
    routes = instance.publisher.routes(instance.settings)
    things = (
        *inventory.engines(attached=_attached(instance)),
        *inventory.tools(found),
        *with_ancestors(inventory.models((*store.list(), *store.kept()), embedded), lines(store)),
        *inventory.rented(routes.targets),
        *inventory.ours(__version__, _version("genai-prices"), __version__),
    )
    return matched(found, things, held_off())


def _attached(instance: Instance) -> dict[str, inventory.Attached]:
    """Engines that the settings name, and servers of one's own among the providers; none of them is asked here."""
    settings = instance.settings
    found = {
        name: inventory.Attached(one.vendor)
        for name, one in settings.providers.items()
        if one.vendor in inventory.SERVERS
    }
    return found | {name: inventory.Attached(one.kind, ours=not one.url) for name, one in settings.engines.items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _view(one: Advisory) -> AdvisoryView:
    patch = next((each for each in PATCHES if each.advisory == one.id), None)
    return AdvisoryView(**msgspec.structs.asdict(one), patch=patch)
