"""The way around: pages in the order they are listed, with what a role needs to have use of each."""

from __future__ import annotations

import msgspec

from freehold.identity.roles import permissions


class Place(msgspec.Struct, frozen=True):
    """A page in the list. `key` is what brings one there, after `g`."""

    path: str
    title: str
    needs: str
    key: str


GROUPS: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Watch",
        (
            Place("/", "Overview", "self:read", "o"),
            Place("/calls", "Traffic", "calls:read", "t"),
        ),
    ),
    (
        "Move",
        (
            Place("/workflows", "Workflows", "workflows:read", "w"),
            Place("/moves", "Moves", "moves:read", "m"),
            Place("/evals", "Evaluations", "evals:read", "e"),
            Place("/annotations", "Annotations", "evals:read", "n"),
            Place("/plans", "Plan", "usage:read", "p"),
        ),
    ),
    (
        "Own",
        (
            Place("/models", "Models", "models:read", "d"),
            Place("/channels", "Channels", "models:read", "c"),
            Place("/errata", "Advisories", "models:read", "v"),
            Place("/playground", "Playground", "routes:read", "y"),
        ),
    ),
    (
        "Govern",
        (
            Place("/keys", "Keys and budgets", "usage:read", "k"),
            Place("/policy", "Policy", "config:read", "l"),
            Place("/guard", "Guardrails", "config:read", "u"),
            Place("/audit", "Audit", "audit:read", "a"),
            Place("/config", "Settings", "config:read", "s"),
        ),
    ),
)


def places(role: str, known: frozenset[str]) -> tuple[tuple[str, tuple[Place, ...]], ...]:
    """What somebody of a role has use of, of the pages that exist; groups that are empty are left out."""
    may = permissions(role)
    found = [(title, tuple(one for one in every if one.needs in may and one.path in known)) for title, every in GROUPS]
    return tuple(group for group in found if group[1])


def here(path: str) -> str:
    """The place a path belongs to."""
    every = [place.path for _, group in GROUPS for place in group if place.path != "/"]
    return next((one for one in every if path == one or path.startswith(one + "/")), "/")
