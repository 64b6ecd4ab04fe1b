"""What a report is made of, whatever it is drawn as: sections with text, a chart, and always a table beside a chart."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Tone = Literal["plain", "red"]


class Table(msgspec.Struct, frozen=True):
    """Heads and rows of text; what looks like a number is set to the right."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Bar(msgspec.Struct, frozen=True):
    """One bar from zero to `middle`, with whiskers; for a tornado from `low` to `high`."""

    name: str
    low: float
    middle: float
    high: float


class Bars(msgspec.Struct, frozen=True, kw_only=True, tag="bars"):
    """Bars below each other."""

    label: str
    unit: str
    bars: tuple[Bar, ...]
    tornado: bool = False
    """Draw the span from low to high around `middle`, instead of a bar from zero."""


class Line(msgspec.Struct, frozen=True):
    """Points joined; `low` and `high` are a band around them where they are given."""

    name: str
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    steps: bool = False


class Lines(msgspec.Struct, frozen=True, kw_only=True, tag="lines"):
    """Lines over one axis."""

    label: str
    x_name: str
    y_name: str
    x: tuple[float, ...]
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False


Chart: TypeAlias = Bars | Lines


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a report."""

    heading: str
    text: tuple[str, ...] = ()
    chart: Chart | None = None
    table: Table | None = None
    red: tuple[str, ...] = ()
    """Assumptions that weigh; shown in red, with the word."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report; the first section is its first screen."""

    title: str
    reader: str
    sections: tuple[Section, ...]
    foot: str
