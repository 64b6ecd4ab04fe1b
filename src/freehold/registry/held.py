"""Models that wait for a person: their bytes, set aside in the store under no name an engine could open.

Invariant: the word that lets one in is for the very bytes that were judged; what is kept here is signed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.layout import replace_file
from freehold.registry.offers import Judged, Offer
from freehold.registry.papers import dsse

FOLDER = "held"
HELD_TYPE = "application/vnd.freehold.held+json"


class Held(msgspec.Struct, frozen=True):
    """One model that waits, and what was said of it."""

    offer: Offer
    judged: Judged


def hold(root: Path, files: Path, held: Held, identity: Identity) -> None:
    """Set staged files aside under the offer's name; what waited there before is replaced."""
    home = root / FOLDER / held.offer.name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    files.rename(home / "files")
    replace_file(home / "held.json", dsse.sealed(msgspec.json.encode(held), identity, HELD_TYPE))


def waiting(root: Path, verifier: Verifier) -> tuple[Held, ...]:
    """Everything that waits, by name. Raises BadSignature or BadArtefact."""
    folder = root / FOLDER
    names = sorted(one.parent.name for one in folder.glob("*/held.json")) if folder.is_dir() else []
    return tuple(read(root, name, verifier)[0] for name in names)


def read(root: Path, name: str, verifier: Verifier) -> tuple[Held, Path]:
    """What waits under a name, and its files. Raises NotFound, BadSignature or BadArtefact."""
    home = root / FOLDER / name
    if "/" in name or name.startswith(".") or not (home / "held.json").is_file():
        raise NotFound(f"nothing waits for a person under the name {name!r}", hint="see them: freehold models list")
    try:
        data = dsse.opened((home / "held.json").read_bytes(), verifier, HELD_TYPE)
        found = msgspec.json.decode(data, type=Held)
    except msgspec.DecodeError as error:
        raise BadArtefact(f"what waits as {name} cannot be read: {error}") from None
    if found.offer.name != name:
        raise BadArtefact(f"what waits as {name} says it is {found.offer.name}")
    return found, home / "files"


def forget(root: Path, name: str) -> None:
    """Let go of what waits under a name."""
    shutil.rmtree(root / FOLDER / name, ignore_errors=True)
