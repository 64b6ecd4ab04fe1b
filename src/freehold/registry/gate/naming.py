"""Names in an artefact: those that lead out of it, and those that promise another content than there is.

Invariant: a name decides nothing for the good; it can only add a reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from freehold.registry.gate.types import Reason

LONGEST = 1024
"""Bytes of a member's name; no model needs more, and file systems take 4,096 at most."""

_SHOWN = 200
_DRIVE = re.compile(r"^[A-Za-z]:")
_DEVICES = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)

PICKLES = frozenset({"pickle", "torch", "torch_legacy", "joblib"})
PROMISED: tuple[tuple[str, frozenset[str]], ...] = (
    (".bmp", frozenset({"image"})),
    (".gguf", frozenset({"gguf"})),
    (".gif", frozenset({"image"})),
    (".h5", frozenset({"hdf5"})),
    (".hdf5", frozenset({"hdf5"})),
    (".ipynb", frozenset({"json", "empty"})),
    (".j2", frozenset({"template", "empty"})),
    (".jinja", frozenset({"template", "empty"})),
    (".jinja2", frozenset({"template", "empty"})),
    (".jpeg", frozenset({"image"})),
    (".jpg", frozenset({"image"})),
    (".json", frozenset({"json"})),
    (".keras", frozenset({"keras", "hdf5"})),
    (".npy", frozenset({"npy"})),
    (".npz", frozenset({"zip"})),
    (".onnx", frozenset({"onnx"})),
    (".pdf", frozenset({"pdf"})),
    (".png", frozenset({"image"})),
    (".py", frozenset({"text", "empty"})),
    (".pyi", frozenset({"text", "empty"})),
    (".pyw", frozenset({"text", "empty"})),
    (".safetensors", frozenset({"safetensors"})),
    (".svg", frozenset({"image", "text"})),
    (".webp", frozenset({"image"})),
    (".yaml", frozenset({"text", "json", "empty"})),
    (".yml", frozenset({"text", "json", "empty"})),
)
"""What a name promises; formats by their names in `formats.FORMATS`."""

LOADED: tuple[str, ...] = (".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
"""Names that loaders hand to an unpickler, whatever is in the file."""

RUN = (".ipynb", ".j2", ".jinja", ".jinja2", ".py", ".pyi", ".pyw", ".yaml", ".yml")
"""Names that make a program, or what may name one, of any bytes that can be read so."""

LOADABLE = PICKLES | {"zip", "tar", "compressed", "npy", "safetensors"}


def quoted(text: str, most: int = 200) -> str:
    """Hostile text made fit for a report: printable, on one line, bounded."""
    shown = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text[:most])
    return shown if len(text) <= most else f"{shown}..."


def shown(name: str) -> str:
    """A name made fit for a report; its ending stays, since that decides who opens the file."""
    return quoted(name) if len(name) <= _SHOWN else f"{quoted(name[:120])}...{quoted(name[-64:])}"


def folded(name: str) -> str:
    """What a file system that knows no case, and composes letters, takes a name for."""
    return unicodedata.normalize("NFC", name.casefold())


def unsafe(name: str, where: str) -> Iterator[Reason]:
    """Why a file or member of this name may land, or be read, outside its artefact."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\", "~")) or _DRIVE.match(name) or ".." in parts:
        yield Reason("block", "name.outside", where, "the name leads out of the artefact")
    elif "\0" in name or any(ord(one) < 32 or ord(one) == 127 for one in name):
        yield Reason("block", "name.control", where, "a control character in the name")
    elif len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        yield Reason("block", "name.long", where, f"longer than {LONGEST} bytes")
    elif any(_DEVICES.match(one) for one in parts):
        yield Reason("review", "name.device", where, "the name of a device on Windows")
    elif any("\ud800" <= one <= "\udfff" or "\u202a" <= one <= "\u202e" or "\u2066" <= one <= "\u2069" for one in name):
        yield Reason("review", "name.unreadable", where, "the name reads otherwise than it is written")


def mismatch(where: str, found: str) -> Iterator[Reason]:
    """Why a file of this name should not be what it is. `where` may name a member: its last part counts."""
    name = PurePosixPath(where.rsplit("!", 1)[-1]).name.lower()
    for ending, promised in PROMISED:
        if name.endswith(ending) and found not in promised:
            hard = found in LOADABLE or found == "unknown" or ending in RUN
            said = f"the name says {ending}, the content is {found}"
            yield Reason("block" if hard else "review", "name.mismatch", where, said)
    if name.endswith(LOADED) and found not in LOADABLE:
        yield Reason("block", "name.mismatch", where, f"a loader of {PurePosixPath(name).suffix} files meets {found}")
