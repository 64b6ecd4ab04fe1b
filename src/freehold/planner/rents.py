"""What accelerators cost by the hour, from dated rows of providers; and what a commitment takes off. Pure.

Invariant: an accelerator without a row still gets a range, wide and marked as assumed: no option is ever left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.planner.facts import rows
from freehold.planner.types import Range

KINDS = ("on_demand", "spot", "capacity_block")
_NAMES = (("A100-", "A100"), ("RTX-A6000", "A6000"), ("H100-", "H100"), ("H200-", "H200"), ("B200-", "B200"))


class Rent(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's price of one accelerator, in US dollars an hour."""

    provider: str
    region: str
    sku: str
    gpu: str
    gpus: int
    memory_gb: float
    usd_per_gpu_hour: float
    kind: str
    source: str
    as_of: str


class Commitment(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider takes off for a term."""

    provider: str
    term: str
    months: int
    upfront_share: float
    discount: float
    source: str
    as_of: str


class GpuHour(msgspec.Struct, frozen=True):
    """US dollars for an hour of one accelerator, over providers; `assumed` where no row has it."""

    usd: Range
    rows: tuple[Rent, ...]
    assumed: bool = False


def rents() -> tuple[Rent, ...]:
    """Every row that comes with Freehold."""
    return tuple(msgspec.convert(row, Rent, strict=False) for row in rows("rents"))


def commitments() -> tuple[Commitment, ...]:
    """Every provider's terms that come with Freehold."""
    return tuple(msgspec.convert(row, Commitment, strict=False) for row in rows("commitments"))


def gpu_hour(gpu: str, known: Sequence[Rent], provider: str = "", kind: str = "on_demand") -> GpuHour:
    """The range over what providers ask for it: least, median and most of the rows that fit."""
    mine = [one for one in known if plain(one.gpu) == plain(gpu) and one.kind == kind]
    if provider:
        mine = [one for one in mine if one.provider == provider] or mine
    chosen = mine or [one for one in known if one.kind == kind]
    prices = sorted(one.usd_per_gpu_hour for one in chosen)
    middle = len(prices) // 2
    median = prices[middle] if len(prices) % 2 else (prices[middle - 1] + prices[middle]) / 2
    sources = sorted({f"{one.provider} ({one.source})" for one in chosen})
    told = "; ".join(sources) if mine else f"no row for {gpu}: the range of all accelerators"
    usd = Range(prices[0], median, prices[-1], told, min(one.as_of for one in chosen))
    return GpuHour(usd, tuple(mine), assumed=not mine)


def plain(gpu: str) -> str:
    """A name without its form factor: `H100-SXM5` and `h100-pcie` are priced like `H100`."""
    name = gpu.upper()
    return next((short for start, short in _NAMES if name.startswith(start)), name)
