"""The project's own Python files, parsed once."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "freehold"


@cache
def tracked() -> tuple[str, ...]:
    """Every file the project is made of: tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):  # an archive without its history
        told = [str(one.relative_to(ROOT)) for one in ROOT.rglob("*")]
    hidden = (".venv/", ".cache/")
    return tuple(one for one in told if one and not one.startswith(hidden) and (ROOT / one).is_file())


@cache
def python_files() -> tuple[Path, ...]:
    """Sources, tests, benches and tools."""
    return tuple(ROOT / one for one in tracked() if one.endswith(".py"))


@cache
def package_files() -> tuple[Path, ...]:
    """What is shipped."""
    return tuple(one for one in python_files() if one.is_relative_to(PACKAGE))


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(), str(path))


def name_of(path: Path) -> str:
    """A file as people name it."""
    return str(path.relative_to(ROOT))
