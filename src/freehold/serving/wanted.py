"""Which engines are wanted beside the embedded ones, and how far each has come: files, so that they outlive processes.

`home/deployments/NAME.json` is the wish, anybody's to write; `home/run/standing.json` is what `up` made of it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from freehold.core.crypto import write_private
from freehold.core.errors import BadRequest, NotFound, Unavailable
from freehold.serving.deployments import CHAT, EMBED, Deployment, deployed

FOLDER = "deployments"
STANDING = "standing.json"
SEEN = "engines.json"
"""In the folder `run`: what the fleet made of wishes, and what is known of engines of `[engines]`."""
POLL_SECONDS = 0.05

_NAME = re.compile(r"owned-[a-z0-9][a-z0-9._-]{0,56}\Z")

_T = TypeVar("_T")
Phase = Literal["starting", "ready", "restarting", "failed", "stopping"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One engine that somebody wants. Numbers that are 0 are taken from the instance's settings."""

    name: str
    """Of its target: `owned-...`."""
    model: str
    """Name in the store of a chat model, an adapter or a classifier."""
    sha256: str = ""
    """Of the model's first file, where no other bytes under that name will do."""
    threads: int = 0
    context: int = 0
    """Tokens over all slots."""
    slots: int = 0
    max_output: int = 0
    batch: int = 0
    """Tokens of prompts read at once; 0 for the engine's own number."""
    kv: str = ""
    """Type of the cache, such as `q8_0`; empty for f16."""
    by: str = ""
    """Id of the move that asked for it; empty where a person did."""
    engine: str = ""
    """The engine of `[engines]` that loads this adapter; empty for an embedded one of its own."""
    follows: str = ""
    """`NAME@CHANNEL` where what is served changes with a channel; `model` is then what stands there now."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a wanted engine has come. `ready`: calls reach it by its target's name."""

    name: str
    model: str
    sha256: str = ""
    phase: Phase
    reason: str = ""
    """Why it failed or was restarted."""
    log: str = ""
    stamp: int = 0
    """Of the wish it is about, so that an old failure is not taken for a new one's."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One engine of `[engines]`: how it is, its model first and then its adapters."""

    name: str
    kind: str
    address: str
    started_here: bool
    """False where it runs elsewhere and is only asked."""
    standings: tuple[Standing, ...]
    running: float | None = None
    """Calls it answers by its own metrics; None where it gives none."""
    waiting: float | None = None


def want(home: Path, wanted: Wanted) -> Wanted:
    """Have `up` run this engine, now and after every start; again, where it failed.

    Another model under the name of one that runs is started beside it, and takes over once it is ready.
    Raises BadRequest for a name that no target of this sort may have.
    """
    if not _NAME.match(wanted.name) or wanted.name in (CHAT, EMBED):
        hint = "choose owned- and up to 57 of a-z, 0-9, dot, dash and underscore, and none of the embedded models'"
        raise BadRequest(f"{wanted.name[:80]!r} cannot be a deployment's name", hint=hint, param="name")
    write_private(home / FOLDER / f"{wanted.name}.json", msgspec.json.encode(wanted))
    return wanted


def unwant(home: Path, name: str) -> bool:
    """Have `up` take the target out of the routes, let its calls end, and stop the engine. False where none was wanted.

    Raises BadRequest for what is no deployment's name.
    """
    if not _NAME.match(name):
        raise BadRequest(f"{name[:80]!r} is no deployment's name", param="name")
    path = home / FOLDER / f"{name}.json"
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def listed(home: Path) -> dict[str, tuple[Wanted | None, int]]:
    """What is wanted by name, with a stamp that changes when it is wanted anew; None for a file nobody can read."""
    found: dict[str, tuple[Wanted | None, int]] = {}
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            stamp, data = path.stat().st_mtime_ns, path.read_bytes()
        except FileNotFoundError:  # gone since it was listed
            continue
        try:
            wanted = msgspec.json.decode(data, type=Wanted)
        except (msgspec.DecodeError, UnicodeDecodeError):
            wanted = None
        good = wanted is not None and wanted.name == path.stem and bool(_NAME.match(path.stem))
        found[path.stem] = (wanted if good else None, stamp)
    return found


def standing(home: Path) -> tuple[Standing, ...]:
    """How far every wanted engine and adapter has come; empty where no instance runs."""
    run = home / "run"
    fleet = _read(run / STANDING, tuple[Standing, ...])
    return (*fleet, *(each for one in _read(run / SEEN, tuple[Seen, ...]) for each in one.standings))


def _read(path: Path, form: type[tuple[_T, ...]]) -> tuple[_T, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=form)
    except FileNotFoundError:
        return ()


def ready(home: Path, name: str) -> Deployment | None:
    """The deployment, where calls to its target now reach the model that is wanted; else None."""
    wanted, stamp = listed(home).get(name, (None, 0))
    told = _told(home, name, stamp)
    if wanted is None or told is None or told.phase != "ready":
        return None
    return next((one for one in deployed(home / "run") if one.name == name and one.model == wanted.model), None)


def wait_ready(
    home: Path,
    name: str,
    within: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Deployment:
    """Wait, at most `within` seconds, until `ready`.

    Raises NotFound where it is not wanted, Unavailable with the reason where it failed or is not ready in time.
    """
    end = clock() + within
    while True:
        if name not in (wishes := listed(home)):
            raise NotFound(f"no deployment {name!r} is wanted")
        if (found := ready(home, name)) is not None:
            return found
        told = _told(home, name, wishes[name][1])
        if told is not None and told.phase == "failed":
            raise Unavailable(f"{name} cannot be served: {told.reason}", hint=f"read {told.log}" if told.log else None)
        if clock() >= end:
            phase = f"it is {told.phase}" if told else "no instance takes it up (freehold up)"
            raise Unavailable(f"{name} is not ready after {within:g} s: {phase}")
        sleep(POLL_SECONDS)


def _told(home: Path, name: str, stamp: int) -> Standing | None:
    """What `up` says of this very wish."""
    return next((one for one in standing(home) if one.name == name and one.stamp == stamp), None)
