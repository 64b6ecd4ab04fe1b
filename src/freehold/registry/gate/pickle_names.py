"""What a pickle may import, by exact module and name: `data/pickle_names.csv`. Whatever is not there is blocked.

Invariant: an allowed name makes a plain value, tensor or estimator and runs nothing of the file's; a name whose code in
C trusts its state, or whose class a person should know of, is a `review`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import cast

import msgspec

from freehold.registry.gate.types import Verdict

SCRIPTED = "__torch__"
"""Where TorchScript keeps the classes that its archives bring along; nothing in Python can be imported from there."""


class Listed(msgspec.Struct, frozen=True):
    """One name a pickle may import."""

    verdict: Verdict
    called: bool
    """False for what pickles only name: types of storages, dtypes, singletons."""


@cache
def names() -> Mapping[tuple[str, str], Listed]:
    """Every listed (module, name)."""
    text = files("freehold.registry.gate").joinpath("data/pickle_names.csv").read_text("utf-8")
    return MappingProxyType(
        {
            (row["module"], name): Listed(cast("Verdict", row["verdict"]), row["called"] == "yes")
            for row in csv.DictReader(text.splitlines())
            for name in row["names"].split()
        }
    )


def listed(module: str, name: str) -> Verdict:
    """`allow`, `review`, or `block` for an import."""
    found = names().get((module, name))
    if found is None and module.partition(".")[0] == SCRIPTED:
        return "review"
    return found.verdict if found else "block"


def only_named(module: str, name: str) -> bool:
    """True where a pickle names it and never calls it."""
    found = names().get((module, name))
    return found is not None and not found.called


@cache
def rooms() -> frozenset[str]:
    """First parts of all listed modules."""
    return frozenset(module.partition(".")[0] for module, _ in names())
