"""Published operating points, read from CSV: what the constants are fitted to and judged by.

The form is that of public tables: model, accelerator, how many, precision, lengths, concurrency, output tokens a
second. The first row that cannot be read ends it, named with its field.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from freehold.planner.errors import PlanError, UnknownGpu, UnknownShape
from freehold.planner.gpus import gpu
from freehold.planner.memory import Layout, Serving, form
from freehold.planner.regimes import Load, Regime
from freehold.planner.shapes import bare, named
from freehold.planner.types import Shape

_REGIMES: tuple[Regime, ...] = ("offline_max", "closed_loop", "static_batch", "server_slo")
_USUAL_INPUT = 300.0
"""Where a table does not say how long prompts were."""
_SPREAD = re.compile(r"(?<![a-z_])(tp|pp|dp)\W?(\d+)", re.IGNORECASE)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what ran, under which load, and what was measured."""

    name: str
    source: str
    system: str
    """Points of one system differ in their load alone: what a probe of one says about another."""
    serving: Serving
    gpus: int
    """Of the whole system, in as many replicas as they make."""
    load: Load
    measured: float
    """Output tokens a second of the whole system."""
    layouts: tuple[Layout, ...]
    """One where the table says how it was spread, else those that may have been chosen."""


def read_points(path: Path, unknown: list[str] | None = None) -> tuple[Point, ...]:
    """All rows of a CSV. Raises PlanError naming the row and the field, and UnknownGpu; where `unknown` is given,
    rows of accelerators and formats that are not known are told there and left out.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlanError(f"{path}: {error}", param="points") from None
    if not rows:
        raise PlanError(f"{path}: no point in it", param="points")
    found = []
    for number, row in enumerate(rows, 2):
        place = f"{path}: row {number}"
        try:
            form(str(row.get("weight_precision") or "bf16"))
            gpu(str(row.get("gpu") or ""))
        except (PlanError, UnknownGpu) as error:
            if unknown is None:
                raise type(error)(f"{place}: {error.message}", param=error.param) from None
            unknown.append(f"{place}: {error.message}")
            continue
        found.append(_point(row, place))
    return tuple(found)


def _point(row: Mapping[str, str | None], place: str) -> Point:
    count = int(_number(row, "n_gpus", place, 1.0))
    total = _number(row, "params_total_b", place, 0.0) * 1e9
    what = _shape(str(row.get("model") or ""), total, _number(row, "params_active_b", place, total / 1e9) * 1e9, place)
    regime = next((one for one in _REGIMES if one == row.get("regime")), None)
    if regime is None:
        raise PlanError(f"{place}: regime is {row.get('regime')!r}, not one of {', '.join(_REGIMES)}", param="regime")
    limits = str(row.get("slo") or "")
    load = Load(
        regime=regime,
        input_tokens=_number(row, "isl", place, _USUAL_INPUT),
        output_tokens=max(_number(row, "osl", place, 256.0), 1.0),
        concurrency=_number(row, "concurrency", place, 0.0),
        ttft_limit=_limit(limits, "TTFT"),
        tpot_limit=_limit(limits, "TPOT"),
    )
    precision = str(row.get("weight_precision") or "bf16")
    narrow = form(precision).name in {"fp8", "fp4"}
    serving = Serving(what, gpu(str(row.get("gpu") or "")), Layout(), form(precision).name, "fp8" if narrow else "bf16")
    layouts = spreads(what, count, str(row.get("parallel") or ""), str(row.get("notes") or ""))
    submission = str(row.get("url") or "").partition(", id=")[0]
    names = ("source", "model", "gpu", "n_gpus", "weight_precision", "parallel", "engine", "engine_version")
    return Point(
        name=str(row.get("id") or place),
        source=str(row.get("source") or ""),
        system="|".join([*(str(row.get(one) or "") for one in names), submission]),
        serving=msgspec.structs.replace(serving, layout=layouts[0]),
        gpus=count,
        load=load,
        measured=_number(row, "output_tok_s", place, None),
        layouts=layouts,
    )


def spreads(shape: Shape, count: int, told: str, notes: str) -> tuple[Layout, ...]:
    """How a system of so many accelerators may be spread: as told, else each that submitters choose among."""
    found = {name.casefold(): int(size) for name, size in _SPREAD.findall(told.partition("-moe")[0])}
    if not found and "choice" in told:
        sizes = [size for size in (1, 2, 4, 8) if count % size == 0]
        apart = [Layout(data=size) for size in sizes if size > 1] if shape.experts else []
        return (*[Layout(tensor=size) for size in sizes], *apart)
    if not found:
        return (Layout(tensor=min(count, 8)),)
    tensor, pipeline, data = (max(found.get(name, 1), 1) for name in ("tp", "pp", "dp"))
    if "attention-DP" in notes and tensor > 1:
        tensor, data = 1, tensor
    return (Layout(tensor=tensor, pipeline=pipeline, data=data),)


def systems(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Points of each system, in their order."""
    found: dict[str, list[Point]] = {}
    for one in points:
        found.setdefault(one.system, []).append(one)
    return found


def _shape(name: str, total: float, active: float, place: str) -> Shape:
    try:
        return named(name)
    except UnknownShape:
        if not total:
            raise PlanError(f"{place}: {name!r} is not known, and params_total_b is empty", param="model") from None
        return bare(name, total, min(active or total, total))


def _number(row: Mapping[str, str | None], field: str, place: str, default: float | None) -> float:
    text = (row.get(field) or "").strip()
    if not text or text.casefold() == "nan":
        if default is None:
            raise PlanError(f"{place}: {field} is empty", param=field)
        return default
    try:
        value = float(text)
    except ValueError:
        raise PlanError(f"{place}: {field} is {text[:40]!r}, no number", param=field) from None
    if not math.isfinite(value) or value < 0.0 or (value == 0.0 and default is None):
        raise PlanError(f"{place}: {field} is {text[:40]}", param=field)
    return value


def _limit(text: str, name: str) -> float:
    """Seconds of a limit such as `TTFT 2.0s` or `TPOT 80ms` in a text; 0 where it is not there."""
    found = re.search(name + r"\D{0,12}?([\d.]+)\s*(ms|s)", text, re.IGNORECASE)
    return float(found[1]) / (1000.0 if found[2] == "ms" else 1.0) if found else 0.0
