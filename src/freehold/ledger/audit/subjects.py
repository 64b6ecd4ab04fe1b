"""Keys of subjects: one small sealed file for each person or virtual key that calls are about, under `home/subjects`.

What tells of a call (its salt in the tree, its bodies) is derived from its subject's key; when the file is destroyed
nobody can derive it again, from no backup that leaves this folder out. A destroyed key is *doomed* first, with the
last leaf that was made from it, so that an interrupted erasure can be finished and what is logged meanwhile gets a
new key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from freehold.core.crypto import Sealer
from freehold.core.errors import BadSignature
from freehold.core.lock import locked

_NAME_BYTES = 16
_FEW = 8


class Doomed(msgspec.Struct, frozen=True):
    """A key on its way out: it made the leaves of its subject up to `last`."""

    subject: str
    last: int
    path: Path


class Subjects:
    """The folder of subjects' keys."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder = folder
        self._sealer = sealer

    def name(self, subject: str) -> str:
        """The subject's name in rows and files: a keyed digest in hex, which tells nothing."""
        return self._sealer.digest(b"subject", subject.encode("utf-8", "surrogatepass"))[:_NAME_BYTES].hex()

    def exclusive(self) -> AbstractContextManager[None]:
        """Held by whoever logs calls or dooms keys: a call is logged wholly before its key goes, or with the next."""
        return locked(self._folder)

    def generation(self) -> int:
        """Changes whenever a key was doomed: keys read before must be read again."""
        try:
            return (self._folder / "doomed").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def key(self, name: str) -> bytes | None:
        """The key of a subject, 32 bytes; None where there is none. Raises BadSignature where its file was changed."""
        return self._open(self._path(name), name)

    def ready(self, names: Iterable[str]) -> dict[str, bytes]:
        """Keys of these subjects, made where there are none; they survive a power cut when this returns."""
        found: dict[str, bytes] = {}
        fresh: list[Path] = []
        for name in names:
            key = self.key(name)
            if key is None:
                key = os.urandom(32)
                path = self._path(name)
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.with_suffix(".new").write_bytes(self._sealer.seal(key, name.encode()))
                fresh.append(path)
            found[name] = key
        if len(fresh) > _FEW:
            os.sync()
        for path in fresh:
            if len(fresh) <= _FEW:
                _flush(path.with_suffix(".new"))
            path.with_suffix(".new").chmod(0o600)
            path.with_suffix(".new").replace(path)
        for folder in {one.parent for one in fresh}:
            _flush(folder)
        return found

    def doom(self, name: str, last: int) -> bool:
        """Take a key out of use (call inside `exclusive`); False where there is none. `last` is the newest leaf."""
        path = self._path(name)
        graves = self._folder / "doomed"
        graves.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            path.replace(graves / f"{name}.{last}")
        except FileNotFoundError:
            return False
        _flush(graves)
        _flush(path.parent)
        return True

    def doomed(self) -> list[Doomed]:
        """Keys whose erasure is not finished, in order."""
        try:
            found = sorted((self._folder / "doomed").iterdir())
        except FileNotFoundError:
            return []
        parts = [(one.name.rpartition("."), one) for one in found]
        return [Doomed(name, int(last), path) for (name, _, last), path in parts]

    def doomed_key(self, grave: Doomed) -> bytes | None:
        """A key whose erasure is not finished."""
        return self._open(grave.path, grave.subject)

    def destroy(self, grave: Doomed) -> None:
        """End a doomed key for good: overwritten, then removed."""
        try:
            with grave.path.open("r+b") as file:
                file.write(os.urandom(grave.path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            return
        grave.path.unlink()
        _flush(grave.path.parent)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.key"

    def _open(self, path: Path, name: str) -> bytes | None:
        try:
            sealed = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return self._sealer.open(sealed, name.encode())
        except (ValueError, BadSignature):
            raise BadSignature(f"the key of subject {name} was changed", hint=f"restore {path} from a backup") from None


class Known:
    """Keys that one process has read, for as long as none was destroyed."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._generation = -1
        self._names: dict[str, str] = {}
        self._keys: dict[str, bytes] = {}

    def of(self, named: Iterable[str]) -> Mapping[str, tuple[str, bytes]]:
        """Name and key of each subject (call inside `Subjects.exclusive`)."""
        generation = self._subjects.generation()
        if generation != self._generation or len(self._names) > _MOST_KNOWN:
            self._generation = generation
            self._names.clear()
            self._keys.clear()
        wanted = set(named)
        for one in wanted:
            if one not in self._names:
                self._names[one] = self._subjects.name(one)
        missing = [name for one in wanted if (name := self._names[one]) not in self._keys]
        if missing:
            self._keys.update(self._subjects.ready(missing))
        return {one: (name := self._names[one], self._keys[name]) for one in wanted}


_MOST_KNOWN = 100_000


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
