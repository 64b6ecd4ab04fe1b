"""Settings as a list: each with its value and where it was set (`default`, `file:line`, or a variable's name)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from freehold.settings.load import Loaded
from freehold.settings.places import Path

_DEFAULT = "default"


class Shown(msgspec.Struct, frozen=True):
    """One setting. Secrets are references, so they may be shown."""

    name: str
    value: Any
    origin: str
    kind: Literal["default", "file", "environment"] = "default"
    line: int | None = None
    """Of the file, where it declares the setting."""


def shown(loaded: Loaded) -> list[Shown]:
    """Every setting in force."""
    data = loaded.settings.model_dump(mode="json")
    return [
        _placed(".".join(str(one) for one in path), value, _origin(path, loaded)) for path, value in _leaves((), data)
    ]


def _placed(name: str, value: Any, origin: str | tuple[str, int]) -> Shown:
    if isinstance(origin, str):
        return Shown(name, value, origin, "default" if origin == _DEFAULT else "environment")
    file, line = origin
    return Shown(name, value, f"{file}:{line}", "file", line)


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves((*path, key), one)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, one in enumerate(value):
            yield from _leaves((*path, index), one)
    elif len(path) > 1:
        yield path, value


def _origin(path: Path, loaded: Loaded) -> str | tuple[str, int]:
    variable = loaded.variables.get((str(path[0]), str(path[1])))
    if variable:
        return variable
    for length in range(len(path), 1, -1):
        if path[:length] in loaded.places and loaded.file and (length == len(path) or length > 2):
            return loaded.file.name, loaded.places[path[:length]]
    return _DEFAULT
