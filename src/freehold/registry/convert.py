"""Checkpoints of torch's, joblib files and arrays of numpy's written as safetensors, without unpickling anything.

Invariant: a file that is written holds every tensor bit for bit; it appears whole, under its name, or not at all.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.registry.gate.apart import OWN_BYTES, SLOWEST_BYTES
from freehold.registry.gate.arrays import WIDTHS, Array
from freehold.registry.gate.errors import Malformed, NotConverted, NoTensors, TooMuch
from freehold.registry.gate.formats import FORMATS
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.scan import BROKEN, Look, mapped
from freehold.registry.gate.tensors import Tensors, read
from freehold.registry.gate.types import Limits, Source

if TYPE_CHECKING:
    import numpy as np

PIECE = 8 << 20
"""Bytes that are brought into order at once."""
MOST_TIMES = 4
SPARE = 64 << 20
"""Views that share a storage are written out each: up to so many times the file's size, and so much more."""
NOTES = "freehold.values"
"""Where plain values of a checkpoint are kept, as JSON, among the file's own notes."""


class Converted(msgspec.Struct, frozen=True):
    """What one file became."""

    form: str
    """What it was: torch, torch_legacy, joblib, npy, npz, pickle."""
    tensors: int
    size: int
    """Bytes of the file that was written."""


def convert(source: Path, target: Path, limits: Limits = Limits()) -> Converted:  # noqa: B008  frozen
    """Write `target` as safetensors with the tensors of `source`, in this process.

    Raises NotConverted, Malformed or TooMuch, and leaves nothing behind then. For files of strangers `convert_apart`.
    """
    look = Look(limits, FORMATS, time.monotonic)
    with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123  a link may replace it
        size = os.fstat(file.fileno()).st_size
        with mapped(file.fileno(), size) as data:
            try:
                found = read(Source(source.name, data), look)
            except BROKEN as broken:
                if isinstance(broken, Malformed | NotConverted | TooMuch):
                    raise
                raise Malformed(f"not understood: {quoted(str(broken) or type(broken).__name__)}") from None
            total = sum(one.size for one in found.arrays.values())
            if total > MOST_TIMES * size + SPARE:
                raise TooMuch(f"its tensors would take {total} bytes, its file has {size}")
            return _written(found, target)


def _written(found: Tensors, target: Path) -> Converted:
    names = sorted(found.arrays, key=lambda name: (-WIDTHS[found.arrays[name].dtype], name))
    head = header(names, found)
    own = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    try:
        with own.open("xb") as file:
            file.write(head)
            for name in names:
                for piece in pieces(found.arrays[name]):
                    file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        own.replace(target)
    finally:
        own.unlink(missing_ok=True)
    return Converted(found.form, len(names), size)


def header(names: list[str], found: Tensors) -> bytes:
    """The file's header, its length before it; padded so that tensors begin at a multiple of eight bytes."""
    told: dict[str, Any] = {"__metadata__": _notes(found)} if _notes(found) else {}
    at = 0
    for name in names:
        one = found.arrays[name]
        told[name] = {"dtype": one.dtype, "shape": list(one.shape), "data_offsets": [at, at + one.size]}
        at += one.size
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _notes(found: Tensors) -> Mapping[str, str]:
    form = {"format": "pt"} if found.form.startswith("torch") else {}
    return {**form, NOTES: json.dumps(found.notes, sort_keys=True)} if found.notes else form


def pieces(one: Array) -> Iterator[memoryview]:
    """The tensor's bytes in the order of its axes, the last the fastest, a bounded piece of memory at a time."""
    if not one.size:
        return
    import numpy as np

    width = WIDTHS[one.dtype]
    flat = np.frombuffer(one.data[one.offset * width :], dtype=np.uint8)
    dtype = np.dtype(f"<u{width}")
    flat = flat[: len(flat) // width * width].view(dtype)
    strides = tuple(step * width for step in one.strides)
    for part in _parts(np.lib.stride_tricks.as_strided(flat, one.shape, strides, writeable=False)):
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data


def _parts(view: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Slices along the first axes that are in order already, or small."""
    if view.flags.c_contiguous or view.nbytes <= PIECE or not view.ndim:
        yield view
        return
    row = view.nbytes // view.shape[0]
    if row > PIECE:
        for one in view:
            yield from _parts(one)
        return
    step = max(1, PIECE // max(row, 1))
    for start in range(0, view.shape[0], step):
        yield view[start : start + step]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says."""

    made: Converted | None = None
    why: str = ""
    hint: str = ""
    kind: str = ""


_KINDS: Mapping[str, type[NotConverted | Malformed | TooMuch]] = {
    one.__name__: one for one in (Malformed, NoTensors, NotConverted, TooMuch)
}


def convert_apart(source: Path, target: Path, limits: Limits = Limits()) -> Converted:  # noqa: B008  frozen
    """As `convert`, in a child with bounded memory, processor time, wall clock and size of the file it writes.

    Raises NotConverted, Malformed or TooMuch.
    """
    size = source.lstat().st_size
    wall = limits.seconds + 2 * size / SLOWEST_BYTES
    command = [sys.executable, "-I", "-m", __name__, os.fspath(source.absolute()), os.fspath(target.absolute())]
    own = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            [*command, f"{wall:.0f}"],
            input=msgspec.json.encode(limits),
            capture_output=True,
            timeout=wall + 5,
            check=False,
            cwd="/",
            env=own,
        )
        said = msgspec.json.decode(ended.stdout, type=_Answer) if ended.returncode == 0 else _Answer()
    except (subprocess.TimeoutExpired, msgspec.DecodeError):
        said = _Answer()
    if said.made is not None:
        return said.made
    for left in target.parent.glob(f".{target.name}.*"):
        left.unlink(missing_ok=True)
    if not said.kind:
        raise TooMuch(f"{source.name} could not be converted within the memory and time there is")
    raise _KINDS[said.kind](f"{source.name}: {said.why}", hint=said.hint)


def main(arguments: list[str]) -> int:
    """The child: limits itself, converts, says what came of it on stdout."""
    limits = msgspec.json.decode(sys.stdin.buffer.read(), type=Limits)
    source, target, seconds = Path(arguments[0]), Path(arguments[1]), int(float(arguments[2])) + 2
    import numpy as np  # noqa: F401  before the limits, which count what its libraries reserve

    memory = limits.memory_bytes + 2 * OWN_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = MOST_TIMES * source.lstat().st_size + 2 * SPARE
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    sys.setrecursionlimit(2_000)
    try:
        said = _Answer(made=convert(source, target, limits))
    except (Malformed, NotConverted, TooMuch) as why:
        said = _Answer(why=why.message, hint=why.hint, kind=type(why).__name__)
    sys.stdout.buffer.write(msgspec.json.encode(said))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
