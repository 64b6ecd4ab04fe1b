"""A workflow as it is stored and shown: its identity, the shape of its answers, its maturity."""

from __future__ import annotations

import msgspec

from freehold.workflows.drift import Week


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for and what comes back."""

    kind: str = "none"
    """Of most answers: `label`, `json`, `tool`, `number`, `short`, `text` or `none`."""
    share: float = 0.0
    """Of answers that have it."""
    names: tuple[str, ...] = ()
    """Labels, JSON keys, or names of tools called."""
    tools: tuple[str, ...] = ()
    """Offered; `*` stands for changing ones."""
    keys: tuple[str, ...] = ()
    """Of the JSON schema asked for; `*` stands for any."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One factor of the maturity: what was measured, and the value in [0, 1] that it comes to."""

    name: str
    value: float
    measured: float | None
    unit: str
    rule: str
    """How the value follows from what was measured."""


class Maturity(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a workflow is settled enough to be moved."""

    verdict: str
    """`mature`, `young`, `immature` or `exploratory`."""
    score: float
    """Product of the terms."""
    terms: tuple[Term, ...]
    reasons: tuple[str, ...]


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow. Times in Unix seconds."""

    id: str
    """`wf_` and 12 hex digits; it stays, whatever happens to the name."""
    name: str
    named: bool = False
    """Its callers name it."""
    renamed: bool = False
    """A person chose the name."""
    into: str = ""
    """Id of the workflow it was merged into; empty while it stands for itself."""
    made_at: float
    found_at: float = 0.0
    """Last time that discovery found it."""
    requests: int = 0
    """At that time."""
    shape: Shape = Shape()
    maturity: Maturity | None = None
    weeks: tuple[Week, ...] = ()
    samples: tuple[bytes, ...] = ()
    """Ids of a few records, picked by chance that is the same each time."""
