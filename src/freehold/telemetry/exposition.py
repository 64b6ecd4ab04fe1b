"""Figures as text in Prometheus' exposition format 0.0.4. Pure; the same figures give the same text.

Source: the format's specification at prometheus.io/docs/instrumenting/exposition_formats, read 2026-11-22.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Number = int | float | Decimal


class Sample(msgspec.Struct, frozen=True):
    """One series' value. `suffix` is added to the family's name (`_bucket`, `_sum`, `_count` of a histogram)."""

    value: Number
    labels: tuple[tuple[str, str], ...] = ()
    suffix: str = ""


class Family(msgspec.Struct, frozen=True):
    """What is measured, where the figure comes from, and its samples."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def text(families: Iterable[Family]) -> str:
    """All of them, in the order given; those without samples still say what they are."""
    lines: list[str] = []
    for one in families:
        lines.append(f"# HELP {one.name} {_escaped(one.help)}")
        lines.append(f"# TYPE {one.name} {one.kind}")
        lines += [f"{one.name}{each.suffix}{_labels(each.labels)} {_number(each.value)}" for each in one.samples]
    return "\n".join(lines) + "\n"


def samples(values: Mapping[tuple[str, ...], Number], names: tuple[str, ...]) -> tuple[Sample, ...]:
    """A sample for each entry, sorted; `names` are those of the labels whose values the keys hold."""
    return tuple(Sample(values[key], tuple(zip(names, key, strict=True))) for key in sorted(values))


def histogram(
    counts: Mapping[int, int], bounds: tuple[float, ...], total: float, labels: tuple[tuple[str, str], ...] = ()
) -> tuple[Sample, ...]:
    """A histogram's samples. `counts` are by index into `bounds`, its length standing for what lies above all."""
    found: list[Sample] = []
    seen = 0
    for index, bound in enumerate((*bounds, math.inf)):
        seen += counts.get(index, 0)
        found.append(Sample(seen, (*labels, ("le", _number(bound))), "_bucket"))
    return (*found, Sample(total, labels, "_sum"), Sample(seen, labels, "_count"))


def _labels(pairs: tuple[tuple[str, str], ...]) -> str:
    if not pairs:
        return ""
    told = ",".join(f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"' for name, value in pairs)
    return f"{{{told}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: Number) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        if math.isinf(value):
            return "+Inf" if value > 0 else "-Inf"
        return "NaN" if math.isnan(value) else repr(value)
    return str(value)
