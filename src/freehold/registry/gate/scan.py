"""One look at a file or folder: what is in it by content, and whether every byte of it is understood.

Invariants: nothing is loaded, imported or run; what ends a look early blocks; no link is followed.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

from freehold.core.errors import BadArtefact
from freehold.registry.gate import naming, polyglots
from freehold.registry.gate.errors import TooMuch
from freehold.registry.gate.formats import FORMATS
from freehold.registry.gate.types import Checked, Format, Limits, Reason, Report, Source, hardest

BROKEN = (
    ArithmeticError,
    AttributeError,
    BadArtefact,
    BufferError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What a reader of hostile bytes may end with; each of them means: not understood."""

MOST_REASONS = 50
"""Of one file: more say nothing new."""


class Look:
    """One look at one artefact: what it has spent so far, and the way into members. Is a `Walk`."""

    def __init__(self, limits: Limits, formats: tuple[Format, ...], clock: Callable[[], float]) -> None:
        self.limits = limits
        self.formats = formats
        self._clock = clock
        self._until = clock() + limits.seconds
        self._unpacked = 0
        self._members = 0
        self._depth = 0

    def spend(self, unpacked: int) -> None:
        """Count bytes about to be unpacked. Raises TooMuch where they, or the time, are used up."""
        self._unpacked += max(unpacked, 0)
        if self._unpacked > self.limits.unpacked_bytes:
            raise TooMuch(f"more than {self.limits.unpacked_bytes} bytes would have to be unpacked")
        if self._clock() > self._until:
            raise TooMuch(f"not understood within {self.limits.seconds:g} seconds")

    def inside(self, source: Source) -> Iterator[Reason]:
        """Look at a member by its content. Raises TooMuch where it is one too many, or too deep."""
        self._members += 1
        if self._members > self.limits.members:
            raise TooMuch(f"more than {self.limits.members} members")
        if self._depth >= self.limits.depth:
            raise TooMuch(f"archives nested more than {self.limits.depth} deep")
        self.spend(0)
        self._depth += 1
        try:
            yield from self.look(source)[1]
        finally:
            self._depth -= 1

    def look(self, source: Source) -> tuple[str, tuple[Reason, ...]]:
        """The format's name, and why the bytes are not simply allowed. Raises TooMuch."""
        found: list[Reason] = []
        name = "unknown"
        try:
            known = next((one for one in self.formats if one.known(source)), None)
            name = known.name if known else "unknown" if len(source.data) else "empty"
            if known is None and len(source.data):
                found.append(Reason("review", "format.unknown", source.name, "no format that is known here"))
            for one in known.look(source, self) if known else ():
                found.append(one)
                if len(found) >= MOST_REASONS and one.verdict == "block":
                    break
            found.extend(naming.mismatch(source.name, name))
            found.extend(polyglots.others(source, name))
        except TooMuch:
            raise
        except MemoryError:
            raise TooMuch("more memory would be needed than there is") from None
        except BROKEN as broken:
            said = naming.quoted(str(broken) or type(broken).__name__)
            found.append(Reason("block", "format.broken", source.name, f"not understood as {name}: {said}"))
        except BaseException as broken:
            if type(broken).__module__ != "_lzma":
                raise
            found.append(Reason("block", "format.broken", source.name, "a broken xz stream"))
        return name, _bounded(found)


def _bounded(found: list[Reason]) -> tuple[Reason, ...]:
    unique = sorted(set(found), key=lambda one: ("block", "review", "allow").index(one.verdict))
    return tuple(unique[:MOST_REASONS])


@cache
def rules(formats: tuple[Format, ...] = FORMATS) -> str:
    """Digest of what the gate goes by: its own source files, and which formats it was given."""
    told = hashlib.sha256()
    for one in sorted(Path(__file__).parent.rglob("*")):
        if one.suffix in (".py", ".csv", ".json", ".txt") and one.is_file():
            told.update(f"{one.name}\0".encode() + hashlib.sha256(one.read_bytes()).digest())
    told.update(" ".join(one.name for one in formats).encode())
    return told.hexdigest()


def scan(
    root: Path,
    limits: Limits = Limits(),  # noqa: B008  frozen
    formats: tuple[Format, ...] = FORMATS,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Look at a file, or at every file below a folder. Raises nothing for what it finds, OSError where it cannot read.

    Runs in this process: for files of strangers take `apart.scan_apart`, which bounds memory as well.
    """
    walk = Look(limits, formats, clock)
    files: list[Checked] = []
    whole: list[Reason] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, of odd escapes in hostile texts
            files.extend(_file(path, name, walk) for path, name in _files(root, whole, limits.members))
    except TooMuch as much:
        whole.append(Reason("block", "gate.budget", "", much.message))
    if not files and not whole:
        whole.append(Reason("review", "gate.empty", "", "there is no file to look at"))
    reasons = (*whole, *(each for one in files for each in one.reasons))
    return Report(hardest(reasons), tuple(files), rules(formats), tuple(whole))


def _files(root: Path, whole: list[Reason], most: int) -> Iterator[tuple[Path, str]]:
    """Every regular file with its name in the artefact; what is not one is a reason."""
    kind = root.lstat().st_mode
    if S_ISREG(kind):
        yield root, root.name
        return
    if not S_ISDIR(kind):
        whole.append(Reason("block", "name.kind", naming.quoted(root.name), _kind(kind)))
        return
    seen: set[str] = set()
    count = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        for one in sorted((*folders, *names)):
            path = Path(folder, one)
            name = path.relative_to(root).as_posix()
            kind = path.lstat().st_mode
            count += 1
            if count > most:
                raise TooMuch(f"more than {most} files")
            whole.extend(naming.unsafe(name, naming.quoted(name)))
            if naming.folded(name) in seen:
                whole.append(Reason("review", "name.twice", naming.quoted(name), "differs from another by case alone"))
            seen.add(naming.folded(name))
            if S_ISREG(kind):
                yield path, name
            elif not S_ISDIR(kind):
                whole.append(Reason("block", "name.kind", naming.quoted(name), _kind(kind)))


def _kind(mode: int) -> str:
    return "a link: its bytes are elsewhere" if S_ISLNK(mode) else "neither a file nor a folder"


def _file(path: Path, name: str, walk: Look) -> Checked:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123  a link may replace it
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        shown = naming.shown(name)
        with mapped(file.fileno(), size) as data:
            kind, reasons = walk.look(Source(shown, data))
    return Checked(shown, digest, size, kind, hardest(reasons), reasons)


@contextmanager
def mapped(descriptor: int, size: int) -> Iterator[memoryview]:
    """The bytes of an open file, mapped and not read."""
    if not size:
        yield memoryview(b"")
        return
    mapped = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
    try:
        yield memoryview(mapped)
    finally:
        with suppress(BufferError):  # where a traceback still holds a slice, it goes with that
            mapped.close()
