"""Traffic as columns: recorded arrivals, or rates with lengths where there are too many arrivals to hold.

Pure. Times in seconds from the trace's beginning, never falling; no column holds a negative number. Both kinds answer
the same questions, so whoever plans need not know which one it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from freehold.planner.errors import BadTrace

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

LONGEST = 100_000_000
"""Tokens of one request that are believed; more is a mistake in the file."""


class Blocks(msgspec.Struct, frozen=True, eq=False):
    """What each request's prompt begins with, in blocks of tokens that are equal where their ids are equal."""

    offsets: Ints
    """Of each request's first block in `ids`; one more at the end."""
    ids: Ints
    tokens: int = 512
    """Of one block."""

    def of(self, request: int) -> list[int]:
        """The blocks of a request, in the order of its prompt."""
        return self.ids[self.offsets[request] : self.offsets[request + 1]].tolist()  # type: ignore[no-any-return]

    def take(self, which: Ints) -> Blocks:
        """Those of some requests."""
        parts = [self.ids[self.offsets[one] : self.offsets[one + 1]] for one in which]
        sizes = self.offsets[which + 1] - self.offsets[which]
        ids = np.concatenate(parts) if parts else self.ids[:0]
        return Blocks(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), ids, self.tokens)


class Arrivals(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Each request that came, one row each."""

    t: Floats
    input: Ints
    """Tokens of the prompt, cached ones included."""
    output: Ints
    cached: Ints
    """Of the prompt, read from the prefix cache of whoever answered then; at most `input`."""
    workflow: Ints
    """Index in `workflows`."""
    workflows: tuple[str, ...] = ("",)
    blocks: Blocks | None = None
    span_seconds: float
    source: str = ""
    begins_at: float = 0.0
    """Unix seconds of t = 0; 0 where nobody knows."""

    @property
    def requests(self) -> int:
        """Of the whole trace."""
        return len(self.t)

    @property
    def input_tokens(self) -> int:
        """Of the whole trace."""
        return int(self.input.sum())

    @property
    def output_tokens(self) -> int:
        """Of the whole trace."""
        return int(self.output.sum())

    @property
    def cached_tokens(self) -> int:
        """Of the whole trace, part of `input_tokens`."""
        return int(self.cached.sum())

    def of(self, workflow: str) -> Arrivals:
        """One workflow's requests, over the whole span. Raises BadTrace where it has none."""
        if workflow not in self.workflows:
            known = ", ".join(repr(one) for one in self.workflows[:8])
            raise BadTrace(f"the trace has no workflow {workflow!r}, only {known}", param="workflow")
        return self.take(np.flatnonzero(self.workflow == self.workflows.index(workflow)))

    def take(self, which: Ints) -> Arrivals:
        """Some requests by their index, in order; times and span stay."""
        columns = {name: getattr(self, name)[which] for name in ("t", "input", "output", "cached", "workflow")}
        blocks = None if self.blocks is None else self.blocks.take(which)
        return msgspec.structs.replace(self, **columns, blocks=blocks)

    def digest(self) -> str:
        """SHA-256 over all columns, in hex: what a frozen plan names its traffic by."""
        found = hashlib.sha256(repr(("arrivals", self.workflows, self.span_seconds, self.begins_at)).encode())
        for column in (self.t, self.input, self.output, self.cached, self.workflow):
            found.update(np.ascontiguousarray(column).tobytes())
        if self.blocks is not None:
            found.update(repr(self.blocks.tokens).encode() + self.blocks.offsets.tobytes() + self.blocks.ids.tobytes())
        return found.hexdigest()


class Lengths(msgspec.Struct, frozen=True, eq=False):
    """How long prompts and answers are, by period: rows of equally likely values, in rising order."""

    starts: Floats
    """Seconds; a period lasts until the next one."""
    input: Floats
    """Periods x values."""
    output: Floats


class Rates(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Requests a second by bin, and lengths. Within a bin arrivals are taken as independent (Poisson)."""

    bin_seconds: float
    rate: Floats
    """Requests a second, one for each bin."""
    lengths: Lengths
    workflows: tuple[str, ...] = ("",)
    source: str = ""
    begins_at: float = 0.0

    @property
    def span_seconds(self) -> float:
        """Of the whole trace."""
        return float(self.bin_seconds * len(self.rate))

    @property
    def requests(self) -> int:
        """Expected, of the whole trace."""
        return round(float(self.rate.sum()) * self.bin_seconds)

    @property
    def input_tokens(self) -> int:
        """Expected, of the whole trace."""
        return self._tokens(self.lengths.input)

    @property
    def output_tokens(self) -> int:
        """Expected, of the whole trace."""
        return self._tokens(self.lengths.output)

    @property
    def cached_tokens(self) -> int:
        """Rates say nothing of prefix caches."""
        return 0

    def periods(self, t: Floats) -> Ints:
        """Row of `lengths` that holds at each time."""
        return np.clip(np.searchsorted(self.lengths.starts, t, side="right") - 1, 0, len(self.lengths.starts) - 1)

    def of(self, workflow: str) -> Rates:
        """All of it: rates know one workflow. Raises BadTrace for another name."""
        if workflow not in self.workflows:
            raise BadTrace(f"the trace has no workflow {workflow!r}: it holds rates of one", param="workflow")
        return self

    def digest(self) -> str:
        """SHA-256 over rates and lengths, in hex."""
        found = hashlib.sha256(repr(("rates", self.workflows, self.bin_seconds, self.begins_at)).encode())
        for column in (self.rate, self.lengths.starts, self.lengths.input, self.lengths.output):
            found.update(np.ascontiguousarray(column).tobytes())
        return found.hexdigest()

    def _tokens(self, lengths: Floats) -> int:
        middles: Floats = (np.arange(len(self.rate), dtype=np.float64) + 0.5) * self.bin_seconds
        return round(float((self.rate * lengths.mean(axis=1)[self.periods(middles)]).sum()) * self.bin_seconds)


Trace: TypeAlias = Arrivals | Rates
"""What `read_trace` and `from_ledger` give and `smallest` takes."""


class Columns(msgspec.Struct, kw_only=True):
    """Rows as they are read, before they are checked."""

    t: list[float] = []
    input: list[int] = []
    output: list[int] = []
    cached: list[int] = []
    workflow: list[str] = []
    blocks: list[Sequence[int]] = []


def arrivals(rows: Columns, source: str, *, span_seconds: float | None = None, block_tokens: int = 512) -> Arrivals:
    """Sorted, from zero on, and checked. `cached`, `workflow` and `blocks` may be empty.

    The span is from the first request to the last and one mean gap more, where none is given.
    Raises BadTrace, which names the row (from 1) and the field.
    """
    count = len(rows.t)
    if not count:
        raise BadTrace(f"{source}: no request in it", param="t_s")
    t = np.asarray(rows.t, dtype=np.float64)
    columns = [
        ("input_tokens", rows.input),
        ("output_tokens", rows.output),
        ("cached_tokens", rows.cached or [0] * count),
    ]
    checked = [_whole(name, values, source) for name, values in columns]
    if not np.isfinite(t).all():
        raise BadTrace(f"{source}: row {int(np.argmin(np.isfinite(t))) + 1}: t_s is no finite number", param="t_s")
    wrong = np.flatnonzero(checked[2] > checked[0])
    if len(wrong):
        row = int(wrong[0])
        text = f"{checked[2][row]} cached tokens of {checked[0][row]} of input"
        raise BadTrace(f"{source}: row {row + 1}: {text}", param="cached_tokens")
    order = np.argsort(t, kind="stable")
    names = tuple(sorted(set(rows.workflow))) or ("",)
    number = {name: index for index, name in enumerate(names)}
    workflow = np.array([number[one] for one in rows.workflow] or [0] * count, dtype=np.int64)
    begins = float(t[order[0]])
    length = float(t[order[-1]]) - begins
    blocks = None
    if any(rows.blocks):
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in rows.blocks])]).astype(np.int64)
        blocks = Blocks(offsets, np.concatenate([np.asarray(one, np.int64) for one in rows.blocks]), block_tokens)
    made = Arrivals(
        t=t - begins,
        input=checked[0],
        output=checked[1],
        cached=checked[2],
        workflow=workflow,
        workflows=names,
        blocks=blocks,
        span_seconds=span_seconds or max(length * (1.0 + 1.0 / max(count - 1, 1)), 1.0),
        source=source,
        begins_at=begins if begins > 1e9 else 0.0,
    )
    return made.take(order)


def rates(rate: Sequence[float], bin_seconds: float, lengths: Lengths, source: str) -> Rates:
    """Checked. Raises BadTrace, which names the row and the field."""
    values = np.asarray(rate, dtype=np.float64)
    if not len(values) or not values.sum() > 0.0:
        raise BadTrace(f"{source}: no request in it", param="rps_total")
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0.0))
    if len(bad):
        raise BadTrace(f"{source}: row {int(bad[0]) + 1}: {values[bad[0]]:g} requests a second", param="rps_total")
    if not bin_seconds > 0.0:
        raise BadTrace(f"{source}: bins of {bin_seconds:g} seconds", param="t_s")
    return Rates(bin_seconds=bin_seconds, rate=values, lengths=lengths, source=source)


def _whole(name: str, values: Sequence[int], source: str) -> Ints:
    column = np.asarray(values, dtype=np.int64)
    bad = np.flatnonzero((column < 0) | (column > LONGEST))
    if len(bad):
        raise BadTrace(f"{source}: row {int(bad[0]) + 1}: {name} is {column[bad[0]]}", param=name)
    return column
