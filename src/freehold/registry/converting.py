"""Staged weights turned into safetensors before anything else is said of a model: the converted files take their place.

Invariant: a file is replaced only by one that holds every tensor of it; what cannot be converted stays, with a reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from freehold.core.errors import BadArtefact
from freehold.registry.gate.errors import NoTensors
from freehold.registry.gate.types import Checked, Report
from freehold.registry.types import Blob

if TYPE_CHECKING:
    from freehold.registry.convert import Converted

FORMS = frozenset({"joblib", "npy", "torch", "torch_legacy"})
"""By the gate's names; an archive of arrays is a `zip` whose name ends in `.npz`."""
MEDIA_TYPE = "application/vnd.freehold.converted+json"
_STARTS = (b"PK\x03\x04", b"\x93NUMPY", b"\x80")
_ENDINGS = (".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pkl", ".pt", ".pth")
_INDEX = ".index.json"
_MOST_INDEX = 64 << 20

Convert = Callable[[Path, Path], "Converted"]


class Became(msgspec.Struct, frozen=True):
    """One file that came in another form; `into` is the name of what it became, empty for one that stayed."""

    brought: Blob
    form: str
    into: str
    why: str = ""
    """Why it stayed."""


class Brought(msgspec.Struct, frozen=True):
    """A model as it came, where some of it was converted: `files` are what a maker's signature is over."""

    files: tuple[Blob, ...]
    became: tuple[Became, ...]

    @property
    def first(self) -> Became:
        """The weights that were converted first."""
        return next(one for one in self.became if one.into)


def likely(path: Path) -> bool:
    """Whether the file begins as one that could be converted: worth the gate's look."""
    with path.open("rb") as file:
        start = file.read(6)
    return start.startswith(_STARTS)


def weights_of(report: Report, *, pickles: bool = False) -> tuple[Checked, ...]:
    """Files that the gate knows as weights in a form that is converted; on wish also plain pickles."""
    forms = FORMS | {"pickle"} if pickles else FORMS
    return tuple(
        one for one in report.files if one.format in forms or (one.format == "zip" and one.name.endswith(".npz"))
    )


def name_after(name: str) -> str:
    """What a converted file is called: as engines look for it."""
    path = PurePosixPath(name)
    stem = path.name
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    stem = re.sub(r"^pytorch_model", "model", stem)
    return (path.parent / f"{stem}.safetensors").as_posix()


def converted(folder: Path, files: tuple[Blob, ...], report: Report, convert: Convert) -> tuple[Became, ...]:
    """Replace what `report` knows as such weights in the staged `folder`; nothing where the gate blocks the whole.

    Raises BadArtefact where two files become one, or one would take the place of another.
    """
    if report.verdict == "block":
        return ()
    brought = {one.name: one for one in files}
    done: list[Became] = []
    for one in weights_of(report):
        if one.name not in brought:
            continue
        into = name_after(one.name)
        if (folder / into).exists():
            raise BadArtefact(
                f"{one.name} becomes {into}, which is there already",
                hint="bring one of the two: freehold models add SOURCE --only '*.safetensors'",
                param=one.name,
            )
        try:
            convert(folder / one.name, folder / into)
        except NoTensors:
            continue
        except BadArtefact as why:
            done.append(Became(brought[one.name], one.format, "", why.message))
        else:
            (folder / one.name).unlink()
            done.append(Became(brought[one.name], one.format, into))
    _indices(folder, brought, {one.brought.name: one.into for one in done if one.into})
    return tuple(done)


def _indices(folder: Path, brought: dict[str, Blob], into: dict[str, str]) -> None:
    """Name the new files in lists of parts."""
    for name, one in brought.items():
        if not name.endswith(_INDEX) or one.size > _MOST_INDEX:
            continue
        path = folder / name
        told = json.loads(path.read_bytes())
        parts = told.get("weight_map") if isinstance(told, dict) else None
        if not isinstance(parts, dict) or not any(isinstance(part, str) and part in into for part in parts.values()):
            continue
        new = {key: into.get(part, part) if isinstance(part, str) else part for key, part in parts.items()}
        data = json.dumps({**told, "weight_map": new}, indent=1).encode()
        target = folder / f"{name_after(name.removesuffix(_INDEX))}{_INDEX}"
        path.unlink()
        target.write_bytes(data)
