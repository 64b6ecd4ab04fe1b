"""Bringing files towards the store: copied or linked, and digested in the same pass.

Staged files are private copies in the store's own folder: what is looked at there is what is admitted.
"""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freehold.core.errors import BadArtefact
from freehold.registry.types import Blob

FOLDER = "staging"
LEFT_OUT = (".cache", ".git", ".gitattributes", ".github", ".gitignore", "model.sig")
"""At the top of a folder; none of it is part of a model, and none is taken in."""
_CHUNK = 4 << 20
_FILES = 10_000
_LEFT_SECONDS = 86400.0
_FICLONE = 0x40049409
"""Of Linux, `linux/fs.h`."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bring(source: Path, target: Path, *, link: bool) -> None:
    """Make `target` of a source's bytes: shared where `link` is wanted and can be, else a copy that is on disk."""
    if link:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            link = False
    if not link:
        with source.open("rb") as reading, target.open("xb") as writing:
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())


@contextmanager
def folder(root: Path) -> Iterator[Path]:
    """A private folder in the store at `root`; it is gone afterwards, with what is left in it."""
    made = root / FOLDER / f"{os.getpid()}.{os.urandom(6).hex()}"
    made.mkdir(parents=True, mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(root: Path, now: float) -> None:
    """Remove what admissions that were killed left on their way, a day after the last of it was written."""
    blobs = root / "blobs" / "sha256"
    for path in (*(root / FOLDER).glob("*"), *blobs.glob(".*")):
        last = max((one.lstat().st_mtime for one in (path, *path.rglob("*"))), default=now)
        if last + _LEFT_SECONDS > now:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def stage(source: Path, into: Path, *, link: bool = False, only: tuple[str, ...] = ()) -> tuple[Blob, ...]:
    """Bring a file, or a folder with all that is below it, into the folder `into`, in the order of names.

    `only` leaves out of a folder what none of these patterns (`*Q4_K_M.gguf`) matches.

    A link is followed where it leads to a file of the same folder or, as in a hub's cache, to one of its blobs. Raises
    BadArtefact for other links, for what is no file, for too many files and for none.
    """
    if not source.exists():
        raise BadArtefact(f"there is no {source}", hint="name a file or a folder that is there", param=str(source))
    found = []
    for name, path in _files(source):
        if not source.is_dir() or wanted(name, only):
            found.append(stage_file(name, path, into, link=link))
    if not found:
        raise BadArtefact(f"{source} holds no files{' of these names' if only else ''}", param=str(source))
    return tuple(found)


def wanted(name: str, only: tuple[str, ...]) -> bool:
    """Whether a file's path matches one of the patterns; every one does where there are none."""
    return not only or any(fnmatch.fnmatchcase(name, one) for one in only)


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    if not source.is_dir():
        yield source.name, _plain(source, source.parent)
        return
    count = 0
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if name.split("/")[0] in LEFT_OUT or (path.is_dir() and not path.is_symlink()):
            continue
        if (count := count + 1) > _FILES:
            raise BadArtefact(f"{source} holds more than {_FILES} files", param=str(source))
        yield name, _plain(path, source)


def _plain(path: Path, source: Path) -> Path:
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError):
        raise BadArtefact(f"{path} is a link that leads nowhere", param=str(path)) from None
    if not stat.S_ISREG(mode):
        raise BadArtefact(f"{path} is no file", param=str(path))
    allowed = (source.resolve(), source.resolve().parent.parent / "blobs")
    if path.is_symlink() and not any(real.is_relative_to(one) for one in allowed):
        raise BadArtefact(f"{path} is a link that leads out of its folder", param=str(path))
    return real


def stage_file(name: str, source: Path, into: Path, *, link: bool = False) -> Blob:
    """Bring one file into the folder `into` under a name."""
    target = into / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            return Blob(name, digest_of(target), target.stat().st_size)
    digest, size = hashlib.sha256(), 0
    with source.open("rb", buffering=0) as reading, target.open("xb", buffering=0) as writing:
        if _cloned(reading.fileno(), writing.fileno()):
            return Blob(name, digest_of(target), target.stat().st_size)
        while data := reading.read(_CHUNK):
            digest.update(data)
            size += len(data)
            _write(writing.fileno(), data)
        os.fsync(writing.fileno())
    return Blob(name, digest.hexdigest(), size)


def _cloned(source: int, target: int) -> bool:
    """Whether the file system could share the bytes until one side is written (btrfs, XFS): no copy is made then."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # another file system
        return False
    return True


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
