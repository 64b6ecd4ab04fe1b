"""Channels over the management API: what stands where, and every change of it, audited; deployments follow at once."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.crypto import Verifier
from freehold.core.errors import BadRequest
from freehold.registry import channel_files, channels
from freehold.registry.artefacts import Store
from freehold.registry.channels import FILES, STAGES, Act, Change, Channel, Coming, Entry, Release, Stage, Subject
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.releases import LARGEST_BYTES, facts_of
from freehold.server.structs import answer, described
from freehold.serving.following import follow
from freehold.serving.wanted import listed, want

router = APIRouter(prefix="/api/channels", tags=["channels"], dependencies=[Depends(Allowed("models:read"))])

Writer = Annotated[Actor, Depends(Allowed("models:write"))]
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class Changed(msgspec.Struct, frozen=True):
    """What stands in a channel after a change, and the targets that now serve something else."""

    channel: Stage
    version: int
    entry: Entry
    targets: tuple[str, ...]


FORMS = (Channel, Changed)


class Word(BaseModel):
    """A person's word, where something speaks against what is done."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field("", max_length=2000, description="Why it is right all the same; kept and audited.")


class NewFile(BaseModel):
    """Guard rules or a price list, as text, with its maker's signature where it has one."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=128)
    kind: Subject
    content: str = Field(max_length=LARGEST_BYTES)
    signature: str = Field("", pattern=r"^([0-9a-f]{128})?$", description="Ed25519, of the text, in hex.")
    key: str = Field("", pattern=r"^([0-9a-f]{64})?$", description="Public key that made the signature, in hex.")


class Promotion(Word):
    """A release for a channel: what stands in the one before it, or for `candidate` a model or a file."""

    release: str = Field("", description="For candidate: the model's name in the store.")
    file: NewFile | None = None
    percent: int = Field(100, description="Share of followers that get it.")


class Pin(Word):
    """A release to hold a name to; none to let it go on."""

    digest: str = Field("", description="SHA-256 in hex, or how it begins; empty for the one that stands there.")
    on: bool = True


class Frozen(BaseModel):
    """Whether a name may change."""

    model_config = ConfigDict(extra="forbid")

    on: bool = True


class Share(Word):
    """Share of followers."""

    percent: int


@router.get("", responses=described(list[Channel]))
def index(instance: Served) -> Response:
    """Every channel, with what stands in it and stood before."""
    return answer(list(_everything(instance).values()))


@router.get("/{channel}/{name}/bytes")
def contents(channel: Stage, name: str, instance: Served, target: str = "") -> Response:
    """The file that stands in a channel, byte for byte; with `target` what that follower gets of it."""
    store = _store(instance)
    entry = channel_files.read(store.root, channel, store.verifier).entry(name)
    if entry.kind not in FILES:
        raise BadRequest(f"{name} is a model", hint=f"freehold models export {entry.release.artefact}")
    release = channels.given(entry, target) if target else entry.release
    return Response(channel_files.get(store.root, release.digest), media_type="application/octet-stream")


@router.post("/{channel}/{name}/promote", responses=described(Changed))
def promote(channel: Stage, name: str, new: Promotion, instance: Served, actor: Writer) -> Response:
    """Let a release stand in a channel, for all who follow it or a share of them."""
    if not _NAME.match(name):
        raise BadRequest(f"{name[:80]!r} is no name", hint="use a-z, 0-9, dot, dash and underscore", param="name")
    kind, release = _coming(instance, channel, name, new)
    coming = Coming(kind, name, release, facts_of(instance, kind, release))
    act = _act(instance, actor, new.word)
    return _changed(
        instance, act, channel, "promote", name, lambda one: channels.promote(one, coming, act, new.percent)
    )


@router.post("/{channel}/{name}/back", responses=described(Changed))
def back(channel: Stage, name: str, new: Word, instance: Served, actor: Writer) -> Response:
    """Let stand again, for all, the very release that stood before."""
    act = _act(instance, actor, new.word)

    def how(one: Channel) -> Channel:
        entry = one.entry(name)
        to = entry.before[-1] if entry.before else entry.release
        return channels.back(one, name, act, facts_of(instance, entry.kind, to))

    return _changed(instance, act, channel, "back", name, how)


@router.post("/{channel}/{name}/pin", responses=described(Changed))
def pin(channel: Stage, name: str, new: Pin, instance: Served, actor: Writer) -> Response:
    """Hold a name to one of its releases, or let it go on."""
    act = _act(instance, actor, new.word)

    def how(one: Channel) -> Channel:
        if not new.on:
            return channels.unpin(one, name)
        entry = one.entry(name)
        to = channels.known(entry, new.digest or entry.release.digest)
        return channels.pin(one, name, to.digest, act, facts_of(instance, entry.kind, to))

    return _changed(instance, act, channel, "pin" if new.on else "unpin", name, how)


@router.post("/{channel}/{name}/freeze", responses=described(Changed))
def freeze(channel: Stage, name: str, new: Frozen, instance: Served, actor: Writer) -> Response:
    """Let nothing about a name change in a channel, or let it change again."""
    act = _act(instance, actor, "")
    verb = "freeze" if new.on else "unfreeze"
    return _changed(instance, act, channel, verb, name, lambda one: channels.freeze(one, name, on=new.on))


@router.post("/{channel}/{name}/stage", responses=described(Changed))
def stage(channel: Stage, name: str, new: Share, instance: Served, actor: Writer) -> Response:
    """Set the share of followers that get what stands in a channel; the others get what stood before."""
    act = _act(instance, actor, new.word)

    def how(one: Channel) -> Channel:
        entry = one.entry(name)
        return channels.stage(one, name, new.percent, act, facts_of(instance, entry.kind, entry.release))

    return _changed(instance, act, channel, "stage", name, how)


def _coming(instance: Instance, channel: Stage, name: str, new: Promotion) -> tuple[Subject, Release]:
    if channel != STAGES[0]:
        if new.release or new.file:
            raise BadRequest(f"{channel} takes what stands in the channel before it", hint="promote it to candidate")
        found = channels.source(_everything(instance), channel, name)
        return found.kind, found.release
    if bool(new.release) == bool(new.file):
        raise BadRequest("candidate takes a model or a file", hint="--release MODEL, or --file FILE --kind guard")
    store = _store(instance)
    if new.file is not None:
        return new.file.kind, _file(store, new.file)
    kind: Subject = "adapter" if store.show(new.release).kind == "adapter" else "model"
    return kind, Release(new.release.partition("@")[0], store.keep(new.release))


def _file(store: Store, new: NewFile) -> Release:
    if new.kind not in FILES:
        raise BadRequest(f"a file is {' or '.join(FILES)}", hint="a model or adapter: --release MODEL", param="kind")
    if not _FILE.match(new.name):
        raise BadRequest(f"{new.name!r} is no plain name of a file", param="file")
    data = new.content.encode()
    if new.key:
        Verifier(bytes.fromhex(new.key)).verify(bytes.fromhex(new.signature), data)
    return Release(new.name, channel_files.put(store.root, data), new.key)


def _changed(instance: Instance, act: Act, channel: Stage, verb: str, name: str, how: Change) -> Response:
    """Make the change, write it down, and have the deployments follow."""
    store = _store(instance)
    made = channel_files.change(store.root, channel, instance.identity, how)
    entry = made.entry(name)
    wishes = follow(store, _everything(instance), listed(instance.home))
    for wish in wishes:
        want(instance.home, wish)
    targets = tuple(one.name for one in wishes)
    told: dict[str, object] = {
        "channel": channel,
        "version": made.version,
        "name": name,
        "digest": entry.release.digest,
    }
    told |= {"percent": entry.percent, "pinned": entry.pinned, "frozen": entry.frozen, "targets": list(targets)}
    instance.note(act.by, f"channel.{verb}", told | ({"word": act.word} if act.word else {}))
    return answer(Changed(channel, made.version, entry, targets))


def _act(instance: Instance, actor: Actor, word: str) -> Act:
    return Act(actor.name, iso(instance.clock()), word.strip())


def _everything(instance: Instance) -> dict[Stage, Channel]:
    store = _store(instance)
    return channel_files.everything(store.root, store.verifier)


def _store(instance: Instance) -> Store:
    return Store(instance.home / "store", instance.identity)
