"""Which data plane an instance runs: its sources, or the copy that `make compiled` built of these very sources.

Only a checkout has such a copy. One that is of other sources, or for another Python, is never chosen.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import msgspec

import freehold

BUILD = Path("build", "compiled")
"""Where in a checkout the copy lies."""
STAMP = "stamp"
"""File in the copy that says what it was made of."""
PACKAGE = Path("src", "freehold")
RECIPE = Path("native", "__main__.py")
_ADVICE = "build it: make compiled"


class DataPlane(msgspec.Struct, frozen=True):
    """What the gateway runs."""

    told: str
    """In words: `compiled`, or `interpreted` with what to do about it."""
    compiled: bool = False
    copy: Path | None = None
    """Where the copy is or would be; None where there cannot be one."""


def interpreter() -> str:
    """This Python and machine, as far as compiled modules depend on them."""
    return f"{sys.implementation.cache_tag} {sys.version} {sys.platform} {os.uname().machine}"


def stamp(package: Path, recipe: Path, python: str) -> str:
    """Hex SHA-256 of every file of a package (names and bytes, caches left out), its recipe and the interpreter."""
    found = hashlib.sha256()
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    named = sorted((path.relative_to(package).as_posix(), path) for path in files)
    for name, content in (
        ("python", python.encode()),
        ("recipe", recipe.read_bytes()),
        *((name, path.read_bytes()) for name, path in named),
    ):
        found.update(f"{len(name.encode())} {name} {len(content)} ".encode() + content)
    return found.hexdigest()


def checkout() -> Path | None:
    """The repository this package runs from; None where it was installed. The copy belongs to the one around it."""
    package = Path(freehold.__file__).parent
    root = package.parents[2] if package.parts[-3:-1] == BUILD.parts else package.parents[1]
    return root if (root / RECIPE).is_file() and (root / PACKAGE).is_dir() else None


def chosen(root: Path | None, python: str) -> DataPlane:
    """The copy where it is there and matches sources and interpreter; else the sources."""
    if root is None:
        return DataPlane("interpreted")
    copy = root / BUILD
    try:
        written = (copy / STAMP).read_text()
    except (OSError, UnicodeDecodeError):
        return DataPlane(f"interpreted ({_ADVICE})", copy=copy)
    if written != stamp(root / PACKAGE, root / RECIPE, python):
        return DataPlane(f"interpreted, as the build is of other sources or for another Python ({_ADVICE})", copy=copy)
    return DataPlane("compiled", compiled=True, copy=copy)
