"""Files of traffic: arrivals or rates as CSV, arrivals with prefix hashes as JSON lines; plain, gzip or zstd.

What a file is, is read from its columns, never from its name. The first bad row ends it, named with its field.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from freehold.planner.errors import BadTrace
from freehold.planner.traffic import LONGEST, Columns, Floats, Lengths, Trace, arrivals, rates
from freehold.workflows.errors import NotALog
from freehold.workflows.reading import Source, lines

TIMES = ("t_s", "t", "time", "arrival_s", "timestamp_s", "timestamp")
INPUTS = ("input_tokens", "input", "prompt_tokens", "input_length", "contexttokens")
OUTPUTS = ("output_tokens", "output", "completion_tokens", "output_length", "generatedtokens")
CACHED = ("cached_tokens", "cached", "cached_input_tokens")
WORKFLOWS = ("workflow", "app")
RATES = ("rps_total", "rps", "rate")
VALUES = 512
"""Equally likely lengths that stand for a period's distribution."""
_SHARES = (("p10", 0.1), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))


class Prompt(msgspec.Struct):
    """One line of a trace with prefix hashes, as the Mooncake traces (FAST'25) have it."""

    timestamp: float
    """Milliseconds."""
    input_length: int
    output_length: int
    hash_ids: list[int] = []


def read_trace(path: Path, lengths: Path | None = None) -> Trace:
    """Traffic from a file.

    CSV of arrivals: `t_s` (seconds, or date and time), `input_tokens`, `output_tokens`, optional `cached_tokens`,
    `workflow`. CSV of rates: `t_s,
    rps_total`, with a second file of lengths (`t_s, field, mean, p10 ... p99`): the one given, else the one that lies
    beside it under the same name with `lengths` for `rate`. JSON lines: `timestamp` (ms), `input_length`,
    `output_length`, `hash_ids` (512-token blocks of the prompt). Raises BadTrace naming row and field.
    """
    rows = _lines(path)
    number, first = next(rows, (0, ""))
    if not number:
        raise BadTrace(f"{path}: the file is empty", param="t_s")
    if first.lstrip().startswith("{"):
        return _hashed(path, _again((number, first), rows))
    header = [one.strip().lower() for one in _fields(f"{path}: line {number}", first)]
    if _column(header, RATES) is not None and _column(header, INPUTS) is None:
        return _rates(path, header, rows, lengths or _beside(path))
    return _arrivals(path, header, rows)


def _arrivals(path: Path, header: Sequence[str], rows: Iterator[tuple[int, str]]) -> Trace:
    found = {
        "t_s": _wanted(path, header, TIMES),
        "input_tokens": _wanted(path, header, INPUTS),
        "output_tokens": _wanted(path, header, OUTPUTS),
    }
    cached, workflow = _column(header, CACHED), _column(header, WORKFLOWS)
    columns = Columns()
    for place, cells in _cells(path, header, rows):
        columns.t.append(_moment(place, header[found["t_s"]], cells[found["t_s"]]))
        columns.input.append(_count(place, header[found["input_tokens"]], cells[found["input_tokens"]]))
        columns.output.append(_count(place, header[found["output_tokens"]], cells[found["output_tokens"]]))
        if cached is not None:
            columns.cached.append(_count(place, header[cached], cells[cached] or "0"))
            if columns.cached[-1] > columns.input[-1]:
                raise BadTrace(f"{place}: {header[cached]} is more than the input", param=header[cached])
        if workflow is not None:
            columns.workflow.append(cells[workflow].strip())
    return arrivals(columns, path.name)


def _hashed(path: Path, rows: Iterator[tuple[int, str]]) -> Trace:
    decode = msgspec.json.Decoder(Prompt)
    columns = Columns()
    for number, line in rows:
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            one = decode.decode(line)
        except msgspec.DecodeError as error:
            raise BadTrace(f"{place}: {error}", param="input_length") from None
        if one.timestamp < 0:
            raise BadTrace(f"{place}: timestamp is {one.timestamp:g}", param="timestamp")
        columns.t.append(one.timestamp / 1000.0)
        columns.input.append(_count(place, "input_length", str(one.input_length)))
        columns.output.append(_count(place, "output_length", str(one.output_length)))
        columns.blocks.append(one.hash_ids)
    return arrivals(columns, path.name)


def _rates(path: Path, header: Sequence[str], rows: Iterator[tuple[int, str]], lengths: Path | None) -> Trace:
    if lengths is None:
        text = "rates alone do not say how long requests are: give a file of lengths"
        raise BadTrace(f"{path}: {text}", param="lengths")
    at, column = _wanted(path, header, TIMES), _wanted(path, header, RATES)
    times: list[float] = []
    values: list[float] = []
    for place, cells in _cells(path, header, rows):
        times.append(_number(place, header[at], cells[at]))
        values.append(_number(place, header[column], cells[column]))
        if values[-1] < 0.0:
            raise BadTrace(f"{place}: {header[column]} is {values[-1]:g}", param=header[column])
        width = times[1] - times[0] if len(times) > 1 else 600.0
        if len(times) > 1 and not abs(times[-1] - times[-2] - width) < 1e-6 * max(width, 1.0):
            raise BadTrace(f"{place}: {header[at]} is not {width:g} seconds after the row before", param=header[at])
    width = times[1] - times[0] if len(times) > 1 else 600.0
    return rates(values, width, _lengths(lengths, times[0] if times else 0.0), path.name)


def _lengths(path: Path, begins: float) -> Lengths:
    rows = _lines(path)
    header = [one.strip().lower() for one in _fields(f"{path}: line 1", next(rows, (0, ""))[1])]
    at, field = _wanted(path, header, TIMES), _wanted(path, header, ("field",))
    columns = {name: _wanted(path, header, (name,)) for name, _ in (("mean", 0.0), *_SHARES)}
    found: dict[str, dict[float, Floats]] = {"input_tokens": {}, "output_tokens": {}}
    for place, cells in _cells(path, header, rows):
        if cells[field] not in found:
            raise BadTrace(f"{place}: field is {cells[field]!r}, not input_tokens or output_tokens", param="field")
        told = {name: _number(place, name, cells[index]) for name, index in columns.items()}
        found[cells[field]][_number(place, header[at], cells[at]) - begins] = spread(told, place)
    if not found["input_tokens"] or found["input_tokens"].keys() != found["output_tokens"].keys():
        raise BadTrace(f"{path}: each period needs a row for input_tokens and one for output_tokens", param="field")
    starts = sorted(found["input_tokens"])
    rows_of = [np.stack([found[name][one] for one in starts]) for name in ("input_tokens", "output_tokens")]
    return Lengths(np.array(starts), *rows_of)


def spread(told: Mapping[str, float], place: str) -> Floats:
    """Equally likely lengths with these quantiles (`p10` ... `p99`) and, where the quantiles allow it, this `mean`.

    Between quantiles the logarithm is linear; beyond the last an exponential tail makes up the mean. Raises BadTrace
    where they fall or are negative.
    """
    values = np.array([told[name] for name, _ in _SHARES])
    if (values < 0.0).any() or (np.diff(values) < 0.0).any():
        raise BadTrace(f"{place}: quantiles must rise from p10 to p99", param="p10")
    shares = np.array([share for _, share in _SHARES])
    middles = (np.arange(VALUES) + 0.5) / VALUES
    body = np.expm1(np.interp(middles, shares, np.log1p(values)))
    tail = middles > shares[-1]
    beyond = max((told["mean"] * VALUES - body[~tail].sum()) / max(tail.sum(), 1) - values[-1], 0.0)
    drawn = -np.log1p(-(np.arange(tail.sum()) + 0.5) / max(tail.sum(), 1))
    body[tail] = values[-1] + beyond * drawn / (drawn.mean() if tail.any() else 1.0)
    found: Floats = np.maximum(np.round(body), 1.0)
    return found


def _beside(path: Path) -> Path | None:
    stem, mark, _ = path.name.partition("rate")
    return next(iter(sorted(path.parent.glob(f"{stem}lengths*"))), None) if mark else None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    source = Source(path)
    held: list[tuple[int, str]] = []  # the last line of a file that is cut off is none
    try:
        for number, line in lines(source.chunks()):
            if line is None:
                raise BadTrace(f"{path}: line {number} is too long", param="t_s")
            yield from held
            held = [(number, line.decode("utf-8").rstrip("\r"))]
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror or error}", param="trace") from None
    except UnicodeDecodeError:
        raise BadTrace(f"{path}: not text in UTF-8", param="trace") from None
    except NotALog as error:
        raise BadTrace(error.message, param="trace") from None
    if source.trouble:
        raise BadTrace(f"{path}: {source.trouble}", param="trace")
    yield from held


def _again(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from rest


def _cells(path: Path, header: Sequence[str], rows: Iterator[tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    for number, line in rows:
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        cells = line.split(",") if '"' not in line else _fields(place, line)
        if len(cells) != len(header):
            raise BadTrace(f"{place}: {len(cells)} fields where the header has {len(header)}", param=header[-1])
        yield place, cells


def _fields(place: str, line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:
        raise BadTrace(f"{place}: {error}", param="trace") from None


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(one) for one in names if one in header), None)


def _wanted(path: Path, header: Sequence[str], names: Sequence[str]) -> int:
    found = _column(header, names)
    if found is None:
        others = ", ".join(names[1:])
        raise BadTrace(f"{path}: line 1: no column {names[0]!r} (nor {others})", param=names[0])
    return found


def _number(place: str, field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadTrace(f"{place}: {field} is {text.strip()[:40]!r}, no number", param=field) from None
    if not np.isfinite(value):
        raise BadTrace(f"{place}: {field} is {value}", param=field)
    return value


def _moment(place: str, field: str, text: str) -> float:
    """Seconds, or a date and a time (of day in UTC where no zone is given), as Azure's public traces have it."""
    try:
        return _number(place, field, text)
    except BadTrace as error:
        try:
            when = datetime.fromisoformat(text.strip())
        except ValueError:
            raise error from None
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()


def _count(place: str, field: str, text: str) -> int:
    value = _number(place, field, text)
    if value < 0 or value != int(value) or value > LONGEST:
        raise BadTrace(f"{place}: {field} is {text.strip()[:40]}, no count of tokens", param=field)
    return int(value)
