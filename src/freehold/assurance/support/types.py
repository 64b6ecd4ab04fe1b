"""What a support bundle holds: these fields and no others. None of them has room for a prompt, an answer or a person.

Texts are constants of ours or have gone through `words.word`.
"""

from __future__ import annotations

import msgspec


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Which Freehold, on what."""

    freehold: str
    made_at: str
    """RFC 3339, UTC."""
    python: str
    system: str
    """Kernel's name and release, and the processor's kind."""
    cores: int
    memory_bytes: int
    disk_free_bytes: int
    packages: dict[str, str]
    """Version of each package Freehold depends on; empty where it is not installed."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the instance."""

    name: str
    phase: str
    restarts: int
    last_exit: int | None


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    """How often one log tells of one event."""

    log: str
    level: str
    event: str
    count: int
    last: str
    """RFC 3339, UTC."""


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """A defect of ours that a log tells of: the kind of error and the places in our code."""

    kind: str
    places: tuple[str, ...]
    count: int


class Table(msgspec.Struct, frozen=True):
    """How many rows a table has."""

    name: str
    rows: int


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one day that went the same way."""

    day: str
    route: str
    target: str
    dialect: str
    stream: bool
    outcome: str
    status: int
    error: str
    """Our code: FH-..."""
    calls: int
    mean_seconds: float
    slowest_seconds: float


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model in the store."""

    name: str
    kind: str
    format: str
    sha256: str
    size: int
    licence: str
    scan: str
    """The gate's verdict; empty where it has no papers."""
    targets: tuple[str, ...]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log of calls and changes has come."""

    leaves: int
    checkpoints: int


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory that touches what is here."""

    advisory: str
    what: str
    standing: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; each field is a file in the bundle."""

    about: About
    configuration: dict[str, object]
    """Settings in force: numbers, switches and choices as they are, names where they are plain, else lengths."""
    processes: tuple[Child, ...]
    logs: tuple[LogLines, ...]
    defects: tuple[Defect, ...]
    database: dict[str, object]
    """`revision` of the schema, `bytes` of the file, `tables`."""
    calls: tuple[Calls, ...]
    models: tuple[Model, ...]
    audit: Audit
    errata: tuple[Advice, ...]


class Entry(msgspec.Struct, frozen=True):
    """One file of a bundle."""

    name: str
    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is, signed by the instance."""

    form: int
    made_at: str
    freehold: str
    files: tuple[Entry, ...]
    masked: int
    """Places where the last look for secrets found one after all."""
    public_key: str
