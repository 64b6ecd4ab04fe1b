"""Keys of the vaults: 32 random bytes for each tenant, each in a private file below `home/vault`.

Every use looks at the file, so that an erased key is gone for all processes at once. Whoever asks after that gets a
new key, and with it other stand-ins.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from freehold.core.crypto import read_or_make, sha256
from freehold.core.errors import BadArtefact, NotFound
from freehold.guard.vault import KEY_BYTES

_SUFFIX = ".key"
_TRIES = 3
"""Times a key is looked for while somebody erases it."""


class Held(msgspec.Struct, frozen=True):
    """A tenant's key as anybody may know of it."""

    tenant: str
    made_at: float
    """Unix seconds."""


class _Content(msgspec.Struct, frozen=True):
    tenant: str
    made_at: float
    secret: bytes


class VaultKeys:
    """The keys in one folder. `random` and `clock` are for keys that are made."""

    def __init__(self, folder: Path, random: Callable[[int], bytes], clock: Callable[[], float]) -> None:
        self._folder = folder
        self._random = random
        self._clock = clock
        self._read: dict[str, tuple[tuple[int, int], bytes]] = {}

    def secret(self, tenant: str) -> bytes:
        """The tenant's key, made on first use. Raises OSError where the file cannot be read, BadArtefact where it is
        none of ours.
        """
        path = self._path(tenant)
        with contextlib.suppress(FileNotFoundError):
            known = self._read.get(tenant)
            if known is not None and known[0] == _version(path):
                return known[1]
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                before = _version(path)
                content = _decoded(path.read_bytes())
                if content is not None and before == _version(path):
                    self._read[tenant] = (before, content.secret)
                    return content.secret
            read_or_make(path, lambda: msgspec.json.encode(self._made(tenant)))
        raise _broken(path)

    def held(self) -> tuple[Held, ...]:
        """Every tenant that has a key, by name."""
        found: list[Held] = []
        for path in self._files():
            content = _decoded(path.read_bytes())
            if content is None:
                raise _broken(path)
            found.append(Held(content.tenant, content.made_at))
        return tuple(sorted(found, key=lambda one: one.tenant))

    def erase(self, tenant: str) -> None:
        """Destroy the key: no longer found by anybody, then overwritten, then removed. Raises NotFound.

        Where the disk keeps older copies (snapshots, backups, flash), those are beyond reach.
        """
        path = self._path(tenant)
        gone = path.with_name(f".{path.stem}.{self._random(6).hex()}.erased")
        try:
            os.replace(path, gone)
        except FileNotFoundError:
            raise NotFound(f"no key is held for {tenant!r}", hint="see which there are: freehold vault list") from None
        self._read.pop(tenant, None)
        with gone.open("r+b") as handle:
            handle.write(bytes(gone.stat().st_size))
            handle.flush()
            os.fsync(handle.fileno())
        gone.unlink()

    def _path(self, tenant: str) -> Path:
        return self._folder / f"{sha256(tenant.encode()).hex()[:32]}{_SUFFIX}"

    def _files(self) -> Iterator[Path]:
        return (one for one in self._folder.glob(f"*{_SUFFIX}") if not one.name.startswith("."))

    def _made(self, tenant: str) -> _Content:
        return _Content(tenant, self._clock(), self._random(KEY_BYTES))


def _version(path: Path) -> tuple[int, int]:
    """What changes when the file does. Raises FileNotFoundError."""
    seen = path.stat()
    return seen.st_ino, seen.st_mtime_ns


def _decoded(data: bytes) -> _Content | None:
    try:
        content = msgspec.json.decode(data, type=_Content)
    except msgspec.DecodeError:
        return None
    return content if len(content.secret) == KEY_BYTES else None


def _broken(path: Path) -> BadArtefact:
    return BadArtefact(f"{path} holds no key", hint="restore the file, or erase the tenant's: freehold vault erase")
