"""The hardware book: accelerators by their makers' data sheets, rows of `data/gpus.csv`.

Rates are dense, without sparsity; memory is what the driver shows, not what the box says.
"""

from __future__ import annotations

import difflib
import re
from functools import cache

from freehold.planner.errors import UnknownGpu
from freehold.planner.facts import rows
from freehold.planner.types import Gpu

_PRECISIONS = ("bf16", "fp8", "int8", "fp4")


def gpus() -> tuple[Gpu, ...]:
    """All that are known, in the order of the book."""
    return tuple(_gpu(row) for row in rows("gpus"))


@cache
def gpu(name: str) -> Gpu:
    """One of the book, by its name or an alias, however it is spelt. Raises UnknownGpu."""
    wanted = _key(name)
    names: list[str] = []
    for row in rows("gpus"):
        known = [row["name"], *row["aliases"].split("|")]
        if wanted and wanted in {_key(one) for one in known}:
            return _gpu(row)
        names.append(row["name"])
    near = difflib.get_close_matches(name.upper(), names, n=3, cutoff=0.4)
    words = f"; near: {', '.join(near)}" if near else ""
    raise UnknownGpu(f"no accelerator {name!r} in the hardware book{words}", param="gpu")


def _gpu(row: dict[str, str]) -> Gpu:
    return Gpu(
        name=row["name"],
        vendor=row["vendor"],
        memory_bytes=float(row["memory_gib"]) * 2**30,
        bandwidth=float(row["bandwidth_gb_s"]) * 1e9,
        flops={one: float(row[one]) * 1e12 for one in _PRECISIONS if row[one]},
        link_bandwidth=float(row["link_gb_s"]) * 1e9,
        tdp_watts=float(row["tdp_watts"]),
        source=row["source"],
        as_of=row["as_of"],
        sustained=next((float(one["share"]) for one in rows("sustained") if one["gpu"] == row["name"]), 1.0),
    )


def _key(name: str) -> str:
    plain = "".join(one for one in name.casefold() if one.isalnum())
    for maker in ("nvidia", "amdinstinct", "amd", "intelarcpro", "intel", "geforce", "instinct"):
        plain = plain.removeprefix(maker)
    # How a module is mounted, and what its memory is made of, tells none apart but those of PCIe and NVL.
    plain = re.sub(r"(sxm\d?|oam|hbm\d?e?|tensorcore|gpus?$|serveredition|workstationedition)", "", plain)
    return re.sub(r"(\d+)g(i?b)?(?=pcie|nvl|$)", r"\1gb", plain)
