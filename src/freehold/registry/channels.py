"""Channels: which release of a model, an adapter, guard rules or a price list stands in candidate, stable and lts.

Pure functions of values. Invariant: what nobody signed, nothing scanned, or an advisory affects gets in on a person's
word alone; the way back leads to the very digest that stood before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.registry.errors import NotAdmitted, ReviewNeeded
from freehold.registry.gate.types import Verdict

Stage = Literal["candidate", "stable", "lts"]
Subject = Literal["adapter", "guard", "model", "prices"]
STAGES: tuple[Stage, ...] = ("candidate", "stable", "lts")
"""Each takes what stands in the one before it, and candidate what is brought."""
FILES: tuple[Subject, ...] = ("guard", "prices")
"""Subjects whose releases are files; those of the others are images in the store."""
WHOLE = 100
"""Per cent."""
_KEPT = 50
"""Releases one may go back over."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes that never change."""

    artefact: str
    """The model's name in the store, or the file's."""
    digest: str
    """SHA-256 in hex: of a model its OCI image, which names every file; of a file its bytes."""
    signer: str = ""
    """Of a file: the public key, in hex, whose signature over it was checked."""

    @property
    def reference(self) -> str:
        """How the store opens a model's."""
        return f"{self.artefact}@{self.digest}"


class Facts(msgspec.Struct, frozen=True):
    """What is known of a release on the day it is to be promoted."""

    signed: bool = False
    """By its maker, checked; or it was made here; or a person vouches for it."""
    scan: Verdict | None = None
    """The gate's word, `allow` too where a person's for these bytes still counts; None where nothing looked."""
    affected: tuple[str, ...] = ()
    """Advisories that affect it, and that no virtual patch holds off."""


class Act(msgspec.Struct, frozen=True):
    """Who does it, when (RFC 3339, UTC), and the word they give for it; empty for none."""

    by: str
    at: str
    word: str = ""


class Coming(msgspec.Struct, frozen=True):
    """A release on its way into a channel, under the name that is followed."""

    kind: Subject
    name: str
    release: Release
    facts: Facts


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in one channel under one name."""

    kind: Subject
    name: str
    release: Release
    since: str
    by: str
    word: str = ""
    """Why it stands there in spite of what spoke against it."""
    percent: int = WHOLE
    """Share of followers that get it; the others get what stood before."""
    frozen: bool = False
    pinned: bool = False
    before: tuple[Release, ...] = ()
    """What stood before, oldest first."""


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel. `version` grows by one with each change."""

    stage: Stage
    version: int = 0
    entries: tuple[Entry, ...] = ()
    """By name, each once."""

    def entry(self, name: str) -> Entry:
        """Raises NotFound."""
        found = next((one for one in self.entries if one.name == name), None)
        if found is None:
            raise NotFound(f"nothing called {name[:80]!r} stands in {self.stage}", hint="freehold channels list")
        return found


def objections(facts: Facts) -> tuple[str, ...]:
    """What speaks against a promotion, in words; each asks for a person's word."""
    found = [] if facts.signed else ["no signature of its maker was checked"]
    if facts.scan is None:
        found.append("the gate has not looked at it")
    elif facts.scan == "review":
        found.append("the gate asks for a person")
    return (*found, *(f"{one} affects it" for one in facts.affected))


def source(channels: Mapping[Stage, Channel], to: Stage, name: str) -> Entry:
    """What stands, for all its followers, in the channel before `to`.

    Raises NotFound where nothing does, Conflict where it is still being rolled out, BadRequest for `candidate`.
    """
    if to == STAGES[0]:
        raise BadRequest("nothing comes before candidate", hint="say what to bring: --release MODEL, or --file FILE")
    before = STAGES[STAGES.index(to) - 1]
    found = channels[before].entry(name)
    if found.percent < WHOLE:
        said = f"{name} is at {found.percent} % in {before}"
        raise Conflict(said, hint=f"freehold channels stage {name} --in {before} --percent 100")
    return found


def promote(channel: Channel, coming: Coming, act: Act, percent: int = WHOLE) -> Channel:
    """Let a release stand in the channel, for a share of its followers.

    Raises ReviewNeeded where something speaks against it and `act` gives no word, NotAdmitted where the gate blocks
    it, BadRequest for a share of no one's or of the first release, Conflict where it stands there already, or what
    stands there is frozen, pinned, still being rolled out, or of another kind.
    """
    now = next((one for one in channel.entries if one.name == coming.name), None)
    _share(percent, first=now is None)
    if now is not None:
        _loose(now, channel.stage)
        if now.kind != coming.kind:
            raise Conflict(f"{now.name} is {now.kind}, not {coming.kind}", hint="choose another name: --as NAME")
        if now.release.digest == coming.release.digest:
            raise Conflict(f"this release of {now.name} stands in {channel.stage} already")
        if now.percent < WHOLE:
            said = f"{now.name} is at {now.percent} % in {channel.stage}"
            raise Conflict(said, hint="take it to 100 or back first: freehold channels stage | back")
    _agreed(coming, act)
    made = Entry(
        kind=coming.kind,
        name=coming.name,
        release=coming.release,
        since=act.at,
        by=act.by,
        word=act.word,
        percent=percent,
        before=() if now is None else (*now.before, now.release)[-_KEPT:],
    )
    return _with(channel, made)


def back(channel: Channel, name: str, act: Act, facts: Facts) -> Channel:
    """Let stand, for all, the very release that stood before; `facts` are that one's. Raises as `promote` does."""
    now = _loose(channel.entry(name), channel.stage)
    if not now.before:
        raise Conflict(f"nothing of {name} stood in {channel.stage} before")
    _agreed(Coming(now.kind, name, now.before[-1], facts), act)
    return _with(channel, _moved(now, now.before[-1], act, before=now.before[:-1]))


def pin(channel: Channel, name: str, digest: str, act: Act, facts: Facts) -> Channel:
    """Hold a name to one release that stands or stood in the channel, for all, until `unpin`.

    `facts` are that one's. Raises NotFound for another digest, and as `promote` does.
    """
    now = _loose(channel.entry(name), channel.stage)
    found = known(now, digest)
    if found == now.release and now.percent == WHOLE:
        return _with(channel, msgspec.structs.replace(now, pinned=True))
    _agreed(Coming(now.kind, name, found, facts), act)
    if found == now.release:
        return _with(channel, msgspec.structs.replace(_moved(now, found, act, before=now.before), pinned=True))
    before = (*now.before, now.release)[-_KEPT:]
    return _with(channel, msgspec.structs.replace(_moved(now, found, act, before=before), pinned=True))


def unpin(channel: Channel, name: str) -> Channel:
    """Let a name go on again, from where it was held. Raises Conflict where it is frozen."""
    now = channel.entry(name)
    if now.frozen:
        _loose(now, channel.stage)
    return _with(channel, msgspec.structs.replace(now, pinned=False))


def freeze(channel: Channel, name: str, *, on: bool = True) -> Channel:
    """Let nothing about a name change but this."""
    return _with(channel, msgspec.structs.replace(channel.entry(name), frozen=on))


def stage(channel: Channel, name: str, percent: int, act: Act, facts: Facts) -> Channel:
    """Set the share of followers that get the release, 1 to 100; the others get what stood before.

    Raising it is promoting: what speaks against the release by now asks for a word again. Raises as `promote` does.
    """
    now = _loose(channel.entry(name), channel.stage)
    _share(percent, first=not now.before)
    if percent > now.percent:
        _agreed(Coming(now.kind, name, now.release, facts), act)
    return _with(channel, msgspec.structs.replace(now, percent=percent, by=act.by, word=act.word or now.word))


def given(entry: Entry, follower: str) -> Release:
    """The release a follower gets: always the same for the same follower, and never back while the share grows."""
    if not entry.before:
        return entry.release
    drawn = hashlib.sha256(f"{entry.name}\0{entry.release.digest}\0{follower}".encode()).digest()
    share = int.from_bytes(drawn[:8], "big") % WHOLE
    return entry.release if share < entry.percent else entry.before[-1]


def known(entry: Entry, digest: str) -> Release:
    """The release of that digest, or of the only one that begins so. Raises NotFound, BadRequest where several do."""
    found = {one.digest: one for one in (*entry.before, entry.release) if digest and one.digest.startswith(digest)}
    if not found:
        hint = f"see them: freehold channels show {entry.name}"
        raise NotFound(f"no release {digest[:64]!r} of {entry.name} stands or stood there", hint=hint)
    if len(found) > 1:
        raise BadRequest(f"{len(found)} releases of {entry.name} begin with {digest}", hint="give more of the digest")
    return next(iter(found.values()))


def needed(channels: Mapping[Stage, Channel]) -> frozenset[str]:
    """Every digest that stands in a channel or that one may go back to."""
    entries = [entry for one in channels.values() for entry in one.entries]
    return frozenset(release.digest for entry in entries for release in (entry.release, *entry.before))


Change = Callable[[Channel], Channel]


def _share(percent: int, *, first: bool) -> None:
    if not 1 <= percent <= WHOLE:
        raise BadRequest(f"a share of {percent} % is none", hint="choose 1 to 100")
    if first and percent < WHOLE:
        raise BadRequest("nothing stood before that the others could get", hint="leave --percent out")


def _loose(entry: Entry, where: Stage) -> Entry:
    """The entry, where it may change. Raises Conflict."""
    if entry.frozen:
        hint = f"freehold channels freeze {entry.name} --in {where} --off"
        raise Conflict(f"{entry.name} is frozen in {where}", hint=hint)
    if entry.pinned:
        hint = f"freehold channels pin {entry.name} --in {where} --off"
        raise Conflict(f"{entry.name} is pinned in {where} to {entry.release.digest[:16]}", hint=hint)
    return entry


def _agreed(coming: Coming, act: Act) -> None:
    """Nothing speaks against it, or a person answers for it. Raises NotAdmitted or ReviewNeeded."""
    if coming.facts.scan == "block":
        raise NotAdmitted(f"the gate blocks {coming.release.artefact}: nobody's word promotes it", param=coming.name)
    against = objections(coming.facts)
    if against and not act.word.strip():
        hint = "answer for it in your name, with the reason: --word TEXT"
        raise ReviewNeeded(f"{coming.name} needs a person's word: {'; '.join(against)}", hint=hint, param=coming.name)


def _moved(entry: Entry, to: Release, act: Act, before: tuple[Release, ...]) -> Entry:
    return msgspec.structs.replace(
        entry, release=to, since=act.at, by=act.by, word=act.word, percent=WHOLE, before=before
    )


def _with(channel: Channel, entry: Entry) -> Channel:
    rest = [one for one in channel.entries if one.name != entry.name]
    entries = tuple(sorted((*rest, entry), key=lambda one: one.name))
    return msgspec.structs.replace(channel, version=channel.version + 1, entries=entries)
