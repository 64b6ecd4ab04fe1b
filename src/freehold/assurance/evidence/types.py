"""Evidence: what a framework asks, what this instance's own records answer, and the records themselves.

Invariant: a result is computed from facts that stand in the same document; what could not be read is never `met`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.assurance.evidence.facts import Facts

Standing = Literal["not_met", "unknown", "no_records", "person", "in_part", "met"]
"""`unknown`: the records could not be read, or do not tell. `no_records`: they tell, and nothing the control is about
has happened here. `person`: no record of this instance can answer; somebody must. `in_part`: every record holds, and
something remains that a person must show."""
STANDINGS: tuple[Standing, ...] = ("not_met", "unknown", "no_records", "person", "in_part", "met")
"""From the most urgent on."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a place in a framework, in our own words, and the question it leads to here."""

    framework: str
    reference: str
    """As the framework numbers it."""
    title: str
    asks: str
    """What is looked for here."""
    query: str
    """Name in `judge.QUERIES`; empty where a person must answer."""
    remains: str
    """What a person must still show."""
    source: str
    as_of: str
    """Date of the framework's text, ISO 8601."""


class Finding(msgspec.Struct, frozen=True):
    """One record that speaks against a control. `record` is `section/name` in the facts."""

    record: str
    why: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one query says."""

    query: str
    asked: str
    """The question, in words."""
    standing: Standing
    said: str
    """One sentence with the numbers it was decided by."""
    records: tuple[str, ...]
    """Sections of the facts it was computed from."""
    looked_at: int
    """How many records."""
    findings: tuple[Finding, ...] = ()
    more: int = 0
    """Findings that are not listed."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One control, answered."""

    control: Control
    standing: Standing
    said: str
    query: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """All of it: results can be computed anew from `controls` and `facts`."""

    form: int
    rules: int
    """Of the queries: raised when one of them changes its meaning."""
    framework: str
    title: str
    made_at: str
    """RFC 3339, UTC; the same moment on the same instance gives the same bytes."""
    freehold: str
    instance: str
    """Id of the installation's key."""
    results: tuple[Result, ...]
    answers: tuple[Answer, ...]
    facts: Facts


class Entry(msgspec.Struct, frozen=True):
    """One file."""

    name: str
    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, signed by the instance."""

    form: int
    framework: str
    made_at: str
    freehold: str
    files: tuple[Entry, ...]
    public_key: str


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at when evidence is verified."""

    what: str
    ok: bool
    detail: str = ""
