"""Changed copies of hostile and plain artefacts, and what a loader would import of them. Nothing is ever run."""

from __future__ import annotations

import collections
import contextlib
import io
import pickle
import random
import tarfile
import zipfile

import numpy as np

from freehold.registry.gate.pickle_names import names
from tests.registry.gate.hostile import RUN, call, pickled, tarred, text, zipped


def _array() -> bytes:
    made = io.BytesIO()
    np.save(made, np.arange(6.0))
    return made.getvalue()


GROWN = pickle.dumps({"a": np.arange(3), "b": collections.OrderedDict(x=[1, (2, "y")])}, 4)
RUNS = pickled(b"}" + text("a") + call("os", "system", b"(K\x01t") + b"s")
SEEDS: tuple[bytes, ...] = (
    RUN,
    RUNS,
    GROWN,
    GROWN[:-1] + call("os", "system", b"(K\x01t") + b".",
    pickle.dumps([1, "x", 2.5], 0),
    _array(),
    zipped({"a/data.pkl": GROWN, "a/version": b"3\n"}, zipfile.ZIP_DEFLATED),
    zipped({"a/data.pkl": RUNS, "a/version": b"3\n"}),
    zipped({"a.npy": _array(), "b.pkl": RUN}),
    tarred(("a.npy", tarfile.REGTYPE, _array()), ("b.pkl", tarfile.REGTYPE, RUN)),
)
_WORDS = (b".", b"R", b"\x93", b"0", b"(", b"\x94", b"\x81", b"b", b"PK\x05\x06", b"PK\x03\x04", b"\xff" * 8, b"\0" * 8)


def mutant(seed: bytes, chance: random.Random) -> bytes:
    """One to four changes: a byte, a piece cut out, doubled or moved, an opcode or a signature put in."""
    body = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        end = min(at + chance.randint(1, 24), len(body))
        kind = chance.randrange(5)
        if kind == 0 and at < len(body):
            body[at] = chance.randrange(256)
        elif kind == 1 and len(body) > 40:
            del body[at:end]
        elif kind == 2:
            body[at:at] = body[at:end]
        elif kind == 3:
            body[at:at] = chance.choice(_WORDS)
        else:
            other = chance.choice(SEEDS)
            start = chance.randrange(len(other))
            body[at:at] = other[start : start + chance.randint(1, 40)]
    return bytes(body)


def imports(body: bytes) -> list[tuple[str, str]]:
    """What the loaders' own machine would import, several pickles in a row, with nothing behind any name."""

    class Nothing:
        def __init__(self, *_, **__):
            pass

        def __setstate__(self, state):
            pass

        def __setitem__(self, key, value):
            pass

        def append(self, value):
            pass

        def extend(self, values):
            pass

    class Watched(pickle.Unpickler):
        def find_class(self, module, name):
            seen.append((module, name))
            return Nothing

        def persistent_load(self, pid):
            return Nothing()

    seen: list[tuple[str, str]] = []
    with contextlib.suppress(Exception):
        file = io.BytesIO(body)
        while file.tell() < len(body):
            Watched(file).load()
    return seen


def harm(body: bytes) -> list[tuple[str, str]]:
    """Imports that no list has, of the file as a pickle and of every member that a lenient reader finds in it."""
    found = imports(body)
    with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(body)) as archive:
        for one in archive.namelist():
            found += imports(archive.read(one))
    with contextlib.suppress(Exception), tarfile.open(fileobj=io.BytesIO(body)) as archive:
        for member in archive.getmembers():
            inside = archive.extractfile(member)
            found += imports(inside.read()) if inside else []
    return [one for one in found if one not in names()]
