"""The way into the store over the management API: adding, vouching, pushing, collecting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.errors import BadRequest, Forbidden
from freehold.registry import held, hub, kinds, oci, staging, wire
from freehold.registry.artefacts import Store
from freehold.registry.channel_files import everything
from freehold.registry.channels import needed
from freehold.registry.inspecting import Inspection, inspect
from freehold.registry.oci import Pushed
from freehold.registry.offers import Judged, Offer, Review
from freehold.registry.types import Manifest, Origin
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.serving.wanted import listed
from freehold.settings.admission import admission
from freehold.settings.environment import resolve_secret

router = APIRouter(prefix="/api/models", tags=["models"], dependencies=[Depends(Allowed("models:read"))])

Writer = Annotated[Actor, Depends(Allowed("models:write"))]
_REVIEW_SECONDS = 366 * 86400


class NewModel(BaseModel):
    """A model to let into the store. What is left out is read from its files."""

    model_config = ConfigDict(extra="forbid")

    source: str
    """A path on the instance's machine, `oci://host/repository:tag`, or `hf:owner/name@revision`."""
    name: str = ""
    kind: Literal["", "adapter", "chat", "classifier", "embedding", "prompt"] = ""
    licence: str = ""
    base: str = ""
    signature: str = ""
    """Path of its maker's signature; else `model.sig` in the folder, where there are signers that count."""
    only: tuple[str, ...] = ()
    """Patterns of the files that are meant, where not all of a folder or of the hub's are."""
    link: bool = False
    """Share the bytes with the source, which nobody may edit then."""


class NewReview(BaseModel):
    """A person's word for a model's very bytes."""

    model_config = ConfigDict(extra="forbid")

    expires_seconds: float = Field(gt=0, le=_REVIEW_SECONDS)


class Push(BaseModel):
    """Where to push a model."""

    model_config = ConfigDict(extra="forbid")

    to: str


class Waiting(msgspec.Struct, frozen=True):
    """A model that waits for a person, and why."""

    name: str
    kind: str
    origin: Origin
    judged: Judged


class Collected(msgspec.Struct, frozen=True):
    """Blobs that no model named."""

    blobs: int
    bytes: int


class _Brought(msgspec.Struct, frozen=True):
    """Files on this machine, with what is claimed of them."""

    path: Path
    offer: Offer
    link: bool


FORMS = (Collected, Inspection, Pushed, Waiting)


@router.post("", responses=described(Manifest))
def add(new: NewModel, instance: Served, actor: Writer) -> Response:
    """Let a model in: its signature, the gate, its licence and the policy have their say first."""
    store = _store(instance)
    with staging.folder(store.root) as folder:
        brought = _bring(new, instance, folder / "fetched")
        made = admission(instance.loaded, store).take(brought.path, brought.offer, link=brought.link)
    told: dict[str, object] = {"model": made.name, "source": new.source, "sha256": made.files[0].sha256}
    instance.note(actor.name, "model.add", told)
    return answer(made)


@router.get("/held", responses=described(list[Waiting]))
def waiting(instance: Served) -> Response:
    """What waits for a person, with every reason."""
    store = _store(instance)
    found = held.waiting(store.root, store.verifier)
    return answer([Waiting(one.offer.name, one.offer.kind, one.offer.origin, one.judged) for one in found])


@router.post("/gc", responses=described(Collected))
def collect(instance: Served, actor: Writer) -> Response:
    """Remove the bytes that no model names and no channel may go back to."""
    store = _store(instance)
    wishes = [wish.model for wish, _ in listed(instance.home).values() if wish is not None]
    stand = needed(everything(store.root, store.verifier))
    gone = store.gc(stand | {one.partition("@")[2] for one in wishes if "@" in one})
    made = Collected(len(gone), sum(size for _, size in gone))
    instance.note(actor.name, "model.gc", {"blobs": made.blobs, "bytes": made.bytes})
    return answer(made)


@router.post("/{name}/review", responses=described(Manifest))
def review(name: str, new: NewReview, instance: Served, actor: Writer) -> Response:
    """Vouch for what waits under a name, or anew for what is in: for its very bytes, until the word runs out."""
    store = _store(instance)
    word = Review(actor.name, instance.clock() + new.expires_seconds)
    made = admission(instance.loaded, store).review(name, word)
    told: dict[str, object] = {"model": name, "sha256": made.files[0].sha256}
    if made.papers is not None:
        told["until"] = made.papers.reviewed_until
    instance.note(actor.name, "model.review", told)
    return answer(made)


@router.post("/{name}/refuse", responses=described(Waiting))
def refuse(name: str, instance: Served, actor: Writer) -> Response:
    """Let go of what waits under a name."""
    store = _store(instance)
    found, _ = held.read(store.root, name, store.verifier)
    held.forget(store.root, name)
    instance.note(actor.name, "model.refuse", {"model": name})
    return answer(Waiting(name, found.offer.kind, found.offer.origin, found.judged))


@router.get("/{name}/inspect", responses=described(Inspection))
def look(name: str, instance: Served, token: str = "", *, deep: bool = False) -> Response:
    """What a model is made of: architecture, tensors, tokenizer, template.

    `deep` reads every value: statistics, embeddings, the difference from its base; `token` asks for its neighbours.
    """
    return answer(inspect(_store(instance), name, token, deep=deep))


@router.post("/{name}/push", responses=described(Pushed))
def push(name: str, new: Push, instance: Served, actor: Writer) -> Response:
    """Push a model with its papers to a registry."""
    where = oci.parsed(new.to)
    _may_ask(instance, where.host)
    made = oci.Registry(where, _credential(instance, where.host)).push(_store(instance), name)
    instance.note(actor.name, "model.push", {"model": name, "reference": made.reference})
    return answer(made)


def _bring(new: NewModel, instance: Instance, folder: Path) -> _Brought:
    if new.source.startswith(oci.SCHEME):
        where = oci.parsed(new.source)
        _may_ask(instance, where.host)
        pulled = oci.Registry(where, _credential(instance, where.host)).pull(folder)
        origin = Origin(oci.origin_of(where), pulled.digest, pulled.files[0].sha256)
        told = pulled.told
        offer = _offer(new, folder, origin, where.repository)
        if told is not None and not new.kind:
            offer = msgspec.structs.replace(offer, kind=told.kind, format=told.format)
        if told is not None and told.lineage is not None and not new.base:
            offer = msgspec.structs.replace(offer, base=told.lineage.base)
        licence = offer.licence or " AND ".join(pulled.licences)
        signature = pulled.signature if instance.settings.models.signers else b""
        return _Brought(folder, msgspec.structs.replace(offer, licence=licence, signature=signature), link=True)
    if new.source.startswith(hub.SCHEME):
        endpoint = instance.settings.models.hub
        if not endpoint:
            raise BadRequest("no hub is named", hint='write its address in freehold.toml: [models] hub = "https://..."')
        host = endpoint.partition("://")[2].partition("/")[0]
        _may_ask(instance, host)
        fetched = hub.fetch(new.source, folder, endpoint, _credential(instance, host), new.only)
        origin = Origin(f"{hub.SCHEME}{fetched.repository}", fetched.commit, "")
        return _Brought(folder, _offer(new, folder, origin, fetched.repository), link=True)
    path = Path(new.source)
    if not path.is_absolute():
        raise BadRequest(f"{new.source[:120]!r} is no absolute path", param="source")
    if path.resolve().is_relative_to(instance.home.resolve()):
        raise Forbidden("what is in the instance's own folder is not let in as a model", param="source")
    origin = Origin(path.name, "", "")
    offer = _offer(new, path, origin, path.name)
    models, beside = instance.settings.models, path / "model.sig"
    if not new.signature and (models.signers or models.authorities) and beside.is_file():
        offer = msgspec.structs.replace(offer, signature=beside.read_bytes())
    return _Brought(path, offer, link=new.link)


def _offer(new: NewModel, path: Path, origin: Origin, called: str) -> Offer:
    signature = b""
    if new.signature:
        signature = Path(new.signature).read_bytes()
    return Offer(
        name=new.name or kinds.name_of(called),
        kind=new.kind or kinds.kind_of(path),
        format=kinds.format_of(path),
        origin=origin,
        licence=new.licence,
        base=new.base,
        only=new.only,
        signature=signature,
    )


def _may_ask(instance: Instance, host: str) -> None:
    if instance.settings.policy.air_gapped and not wire.local(host.partition(":")[0]):
        said = f"this instance is air-gapped, and {host} is not this machine"
        raise Forbidden(said, hint="bring the files on a disk: freehold models add FOLDER")


def _credential(instance: Instance, host: str) -> str:
    return resolve_secret(instance.settings.models.credentials.get(host, ""))


def _store(instance: Instance) -> Store:
    return Store(instance.home / "store", instance.identity)
