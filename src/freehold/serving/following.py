"""Deployments that follow a channel: what each of them serves is what stands there for it, and changes when that does.

Invariant: a wish that follows always names one release by its digest; an engine never looks a channel up itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from freehold.core.errors import BadRequest, NotFound
from freehold.registry.artefacts import Store
from freehold.registry.channel_files import everything
from freehold.registry.channels import FILES, STAGES, Channel, Release, Stage, given
from freehold.serving.wanted import Wanted

Channels = Mapping[Stage, Channel]


def follows(reference: str) -> bool:
    """Whether a model's reference names a channel: `tickets@stable`."""
    return reference.rpartition("@")[2] in STAGES


def stands(channels: Channels, reference: str, target: str) -> Release:
    """The release that a target gets of `NAME@CHANNEL`. Raises NotFound, BadRequest for what no engine serves."""
    name, _, at = reference.rpartition("@")
    stage = next((one for one in STAGES if one == at), None)
    if stage is None:
        raise NotFound(f"{at[:80]!r} is no channel", hint=f"there are {', '.join(STAGES)}")
    entry = channels[stage].entry(name)
    if entry.kind in FILES:
        raise BadRequest(f"{name} is {entry.kind}: no engine serves it", hint=f"freehold channels write {name}")
    return given(entry, target)


def wished(store: Store, wish: Wanted) -> Wanted:
    """The wish pinned to the bytes its `model` means now, and following its channel where it names one.

    Raises as `stands` and `Store.show` do.
    """
    if follows(wish.model):
        channels = everything(store.root, store.verifier)
        return led(store, channels, msgspec.structs.replace(wish, follows=wish.model))
    return msgspec.structs.replace(wish, sha256=store.show(wish.model).files[0].sha256)


def settled(store: Store, wish: Wanted) -> Wanted:
    """The wish of a settings' line, which may name a channel; as it is where nothing stands there.

    Raises BadSignature or BadArtefact.
    """
    if not follows(wish.model):
        return wish
    try:
        return wished(store, wish)
    except NotFound:
        return wish  # whoever opens it is told


def led(store: Store, channels: Channels, wish: Wanted) -> Wanted:
    """The wish for what its channel gives it. Raises as `stands` and `Store.show` do."""
    model = stands(channels, wish.follows, wish.name).reference
    return msgspec.structs.replace(wish, model=model, sha256=store.show(model).files[0].sha256)


def follow(store: Store, channels: Channels, wishes: Mapping[str, tuple[Wanted | None, int]]) -> tuple[Wanted, ...]:
    """The wishes whose channel gives them something else than they name; one whose channel is empty stays as it is."""
    found = []
    for wish, _ in wishes.values():
        if wish is None or not wish.follows:
            continue
        try:
            new = led(store, channels, wish)
        except NotFound:
            continue
        if new != wish:
            found.append(new)
    return tuple(found)
