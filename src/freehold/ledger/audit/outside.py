"""Checkpoints outside the writer's reach: one file each, named by size, in folders of others; written once, never over.

What stands there already is the yardstick: a checkpoint that does not continue it is not published but told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier
from freehold.core.errors import BadSignature
from freehold.ledger.audit import note
from freehold.ledger.audit.verify import Problem, Signed

_SUFFIX = ".note"


class Published(msgspec.Struct, frozen=True):
    """How publishing to one folder stands. `error` is empty where it went well; times are Unix seconds."""

    folder: str
    size: int = 0
    at: float = 0.0
    """When the newest was written."""
    tried_at: float = 0.0
    error: str = ""
    differs: bool = False
    """What stands outside is of another history: the log was changed, or restored from a backup."""


def place_of(folder: Path, verifier: Verifier) -> Path:
    """The log's own folder in `folder`, which several installations may share."""
    return folder / verifier.key_id


def name_of(size: int) -> str:
    """File name of a checkpoint; names sort as sizes do."""
    return f"{size:020d}{_SUFFIX}"


def sizes_in(folder: Path, verifier: Verifier) -> list[int]:
    """Sizes of what is published, ascending. Raises OSError where the folder cannot be read."""
    place = place_of(folder, verifier)
    if not place.exists():
        if not folder.exists():
            raise FileNotFoundError(2, "there is no such folder", str(folder))
        return []
    found = [one.name.removesuffix(_SUFFIX) for one in place.iterdir() if one.name.endswith(_SUFFIX)]
    return sorted(int(one) for one in found if one.isdecimal() and name_of(int(one)) == f"{one}{_SUFFIX}")


def read(folder: Path, verifier: Verifier, size: int) -> str:
    """The note of a size. Raises OSError, BadSignature."""
    try:
        return (place_of(folder, verifier) / name_of(size)).read_bytes().decode()
    except UnicodeDecodeError:
        raise BadSignature("the checkpoint holds bytes that are no text") from None


def write(folder: Path, verifier: Verifier, size: int, text: str) -> None:
    """Publish a note: whole or not at all, and never over another. Raises OSError, FileExistsError where one stands."""
    place = place_of(folder, verifier)
    if not folder.is_dir():
        # A folder that vanished is likely a mount that did: to make it anew would publish into the writer's own reach.
        raise FileNotFoundError(2, "there is no such folder", str(folder))
    place.mkdir(exist_ok=True)
    target = place / name_of(size)
    # Whoever else writes this one writes to a file of its own: once linked, it is the published one.
    temporary = place / f".{target.name}.{os.getpid()}.{threading.get_ident()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(temporary, target)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise
        # Where links are not to be had: created alone, so that nothing is written over either.
        with target.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            temporary.unlink()


def signed_in(folders: Sequence[Path], verifier: Verifier) -> tuple[list[Signed], list[Problem]]:
    """Every checkpoint in these folders, to be checked; and what is wrong with the folders themselves."""
    found: list[Signed] = []
    problems: list[Problem] = []
    for folder in folders:
        try:
            sizes = sizes_in(folder, verifier)
            if not sizes:
                problems.append(Problem(f"outside {folder}", f"holds no checkpoint of freehold/{verifier.key_id}"))
            problems += [Problem(str(one), "is named as no checkpoint is") for one in _strange(folder, verifier)]
            for size in sizes:
                where = str(place_of(folder, verifier) / name_of(size))
                try:
                    found.append(Signed(where, read(folder, verifier, size), size, outside=True))
                except BadSignature as error:
                    problems.append(Problem(where, error.message))
        except OSError as error:
            problems.append(Problem(f"outside {folder}", f"cannot be read: {error.strerror}"))
    return found, problems


def _strange(folder: Path, verifier: Verifier) -> list[Path]:
    known = {name_of(one) for one in sizes_in(folder, verifier)}
    place = place_of(folder, verifier)
    found = place.iterdir() if place.exists() else ()
    return sorted(one for one in found if one.name not in known and not one.name.startswith("."))


def newest(folder: Path, verifier: Verifier) -> note.Checkpoint | None:
    """The newest checkpoint published there. Raises OSError, BadSignature."""
    sizes = sizes_in(folder, verifier)
    return note.read(read(folder, verifier, sizes[-1]), verifier) if sizes else None
