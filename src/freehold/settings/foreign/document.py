"""Another gateway's configuration, with what became of each field of it. No field is passed over in silence.

Values that may be secrets are never repeated: neither in what is told nor in what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from freehold.core.errors import BadRequest

Outcome = Literal["exact", "approximated", "not supported"]
Path = tuple[str | int, ...]

MOST_FIELDS = 100_000
_SECRET = re.compile(r"key|token|secret|password|credential|authorization|salt", re.IGNORECASE)
_SHOWN = 60


class Told(msgspec.Struct, frozen=True):
    """What became of one field."""

    field: str
    """Its path, such as `model_list[0].litellm_params.model`."""
    value: str
    """Shortened; `...` where it may be a secret."""
    outcome: Outcome
    to: str = ""
    """The setting it went to."""
    note: str = ""


class Document:
    """A tree of tables, lists and plain values, each of which is accounted for once."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Raises BadRequest for a tree of more than MOST_FIELDS values."""
        self.root = root
        self._leaves = dict(_leaves(root))
        self._said: dict[Path, Told] = {}
        self._below: dict[Path, list[Path]] = {}
        for leaf in self._leaves:
            for depth in range(len(leaf) + 1):
                self._below.setdefault(leaf[:depth], []).append(leaf)

    def get(self, *path: str | int, default: Any = None) -> Any:
        """The value at a path, `default` where there is none."""
        found: Any = self.root
        for step in path:
            if isinstance(found, list):
                if not isinstance(step, int) or step >= len(found):
                    return default
                found = found[step]
            elif isinstance(found, Mapping) and step in found:
                found = found[step]
            else:
                return default
        return found

    def table(self, *path: str | int) -> Mapping[str, Any]:
        """The table at a path; empty where there is none."""
        found = self.get(*path)
        return found if isinstance(found, Mapping) else {}

    def rows(self, *path: str | int) -> list[Any]:
        """The list at a path; empty where there is none."""
        found = self.get(*path)
        return found if isinstance(found, list) else []

    def say(self, path: Path, outcome: Outcome, to: str = "", note: str = "") -> None:
        """Account for a path and everything below it that nothing was said of yet."""
        for leaf in self._below.get(path, ()):
            if leaf not in self._said:
                self._said[leaf] = Told(written(leaf), _shown(leaf, self._leaves[leaf]), outcome, to, note)

    def told(self) -> tuple[Told, ...]:
        """Every field in the file's order; what nobody accounted for is not supported."""
        self.say((), "not supported", note="there is nothing like it here")
        return tuple(self._said[leaf] for leaf in self._leaves)


def written(path: Path) -> str:
    """A path as people write it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _leaves(root: Any) -> Iterator[tuple[Path, Any]]:
    """Plain values, and empty tables and lists, in order. No recursion: depth is the file's to choose."""
    stack: list[tuple[Path, Any]] = [((), root)]
    count = 0
    while stack:
        path, value = stack.pop()
        count += 1
        if count > MOST_FIELDS:
            raise BadRequest(f"it holds more than {MOST_FIELDS} values", hint="is this a gateway's configuration?")
        if isinstance(value, Mapping) and value:
            stack += [((*path, str(key)), one) for key, one in reversed(list(value.items()))]
        elif isinstance(value, list) and value:
            stack += [((*path, number), one) for number, one in reversed(list(enumerate(value)))]
        elif path:
            yield path, value


def _shown(path: Path, value: Any) -> str:
    names = [one for one in path if isinstance(one, str)]
    reference = isinstance(value, str) and value.startswith(("os.environ/", "env."))
    if isinstance(value, str) and not reference and any(_SECRET.search(one) for one in names):
        return "..."
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
