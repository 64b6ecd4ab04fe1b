"""Charts as inline SVG: nothing is fetched, nothing runs, every text is escaped. Pure.

Series differ by dashes as well as by colour; the table beside a chart has its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from freehold.planner.report.parts import Bar, Bars, Chart, Line, Lines
from freehold.planner.report.words import amount

WIDTH = 720
ROW = 30
NAMES = 210
COLOURS = ("var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)")
"""Of the page, which is light or dark."""
DASHES = ("", "8 3", "3 3", "10 3 2 3", "1 3")
_TOP, _BOTTOM, _LEFT, _HEIGHT = 14, 44, 80, 260


def drawn(chart: Chart) -> str:
    """One chart."""
    return _bars(chart) if isinstance(chart, Bars) else _lines(chart)


def _bars(chart: Bars) -> str:
    values = [value for bar in chart.bars for value in (bar.low, bar.high, bar.middle)]
    low, high = min(0.0, *values), max(0.0, *values)
    if chart.tornado:
        low, high = min(values), max(values)
    wide = (high - low) or 1.0
    height = ROW * len(chart.bars) + 34

    def x(value: float) -> float:
        return NAMES + (WIDTH - NAMES - 20) * (value - low) / wide

    drawn_bars = [_bar(bar, index, chart, x) for index, bar in enumerate(chart.bars)]
    zero = chart.bars[0].middle if chart.tornado and chart.bars else min(max(0.0, low), high)
    axis = f'<line x1="{x(zero):.1f}" x2="{x(zero):.1f}" y1="0" y2="{height - 30}" stroke="var(--soft)"/>'
    ends = "".join(
        f'<text x="{x(value):.1f}" y="{height - 10}" font-size="12" text-anchor="{anchor}">{amount(value)}</text>'
        for value, anchor in ((low, "start"), (high, "end"))
    )
    unit = f'<text x="0" y="{height - 10}" font-size="12">{escape(chart.unit)}</text>'
    return _svg(chart.label, height, [*drawn_bars, axis, ends, unit])


def _bar(bar: Bar, index: int, chart: Bars, at: Callable[[float], float]) -> str:
    y = index * ROW
    begin, end = (bar.low, bar.high) if chart.tornado else (0.0, bar.middle)
    left, right = sorted((at(begin), at(end)))
    colour = COLOURS[0] if bar.middle >= 0 or chart.tornado else COLOURS[2]
    parts = [
        f'<text x="0" y="{y + 19}" font-size="13">{escape(bar.name)}</text>',
        f'<rect x="{left:.1f}" y="{y + 6}" width="{max(right - left, 1):.1f}" height="16" fill="{colour}"/>',
    ]
    if not chart.tornado:
        parts.append(
            f'<line x1="{at(bar.low):.1f}" x2="{at(bar.high):.1f}" y1="{y + 14}" y2="{y + 14}" stroke="var(--ink)" '
            'stroke-width="1.5"/>'
        )
        parts += [
            f'<line x1="{at(end):.1f}" x2="{at(end):.1f}" y1="{y + 9}" y2="{y + 19}" stroke="var(--ink)"/>'
            for end in (bar.low, bar.high)
        ]
    return "".join(parts)


def _lines(chart: Lines) -> str:
    xs = [math.log10(max(one, 1e-12)) if chart.log_x else one for one in chart.x]
    values = [value for line in chart.lines for value in (*line.y, *line.low, *line.high)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if chart.log_y:
        least = min((one for one in values if one > 0), default=1.0)
        low, high = math.log10(least), math.log10(max(high, least * 1.0001))
    elif low > 0:
        low = 0.0
    left, right = min(xs, default=0.0), max(xs, default=1.0)

    def at(x: float, y: float) -> str:
        if chart.log_y:
            y = math.log10(y) if y > 0 else low
        across = _LEFT + (WIDTH - _LEFT - 10) * (x - left) / ((right - left) or 1.0)
        down = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - (y - low) / ((high - low) or 1.0))
        return f"{across:.1f},{down:.1f}"

    parts = []
    for index, line in enumerate(chart.lines):
        colour = COLOURS[index % len(COLOURS)]
        if line.low and line.high:
            ring = [*zip(xs, line.high, strict=True), *reversed(list(zip(xs, line.low, strict=True)))]
            points = " ".join(at(x, y) for x, y in ring)
            parts.append(f'<polygon points="{points}" fill="{colour}" fill-opacity=".15"/>')
        points = " ".join(at(x, y) for x, y in _points(xs, line))
        dash = f' stroke-dasharray="{DASHES[index % len(DASHES)]}"' if DASHES[index % len(DASHES)] else ""
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} points="{points}"/>')
    if not chart.log_y and low < 0 < high:
        parts.append(f'<polyline fill="none" stroke="var(--soft)" points="{at(left, 0)} {at(right, 0)}"/>')
    return _svg(chart.label, _HEIGHT + 18 * len(chart.lines), [*parts, _scales(chart, (low, high)), _legend(chart)])


def _points(xs: Sequence[float], line: Line) -> list[tuple[float, float]]:
    if not line.steps:
        return list(zip(xs, line.y, strict=True))
    found = []
    for index, (x, y) in enumerate(zip(xs, line.y, strict=True)):
        if index:
            found.append((x, line.y[index - 1]))
        found.append((x, y))
    return found


def _scales(chart: Lines, span: tuple[float, float]) -> str:
    low, high = (10**one for one in span) if chart.log_y else span
    ends = (min(chart.x, default=0.0), max(chart.x, default=1.0))
    axes = f"{escape(chart.x_name)}; {escape(chart.y_name)} upwards"
    return "".join(
        (
            f'<text x="0" y="{_TOP + 4}" font-size="12">{amount(high)}</text>',
            f'<text x="0" y="{_HEIGHT - _BOTTOM}" font-size="12">{amount(low)}</text>',
            f'<text x="{_LEFT}" y="{_HEIGHT - 26}" font-size="12">{ends[0]:g}</text>',
            f'<text x="{WIDTH - 10}" y="{_HEIGHT - 26}" font-size="12" text-anchor="end">{ends[1]:g}</text>',
            f'<text x="{WIDTH / 2}" y="{_HEIGHT - 26}" font-size="12" text-anchor="middle">{axes}</text>',
        )
    )


def _legend(chart: Lines) -> str:
    found = []
    for index, line in enumerate(chart.lines):
        y = _HEIGHT + 18 * index - 4
        dash = f' stroke-dasharray="{DASHES[index % len(DASHES)]}"' if DASHES[index % len(DASHES)] else ""
        colour = COLOURS[index % len(COLOURS)]
        found.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + 36}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        found.append(f'<text x="{_LEFT + 44}" y="{y + 4}" font-size="12">{escape(line.name)}</text>')
    return "".join(found)


def _svg(label: str, height: float, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}" width="100%"'
    return f"<svg {box}>{''.join(parts)}</svg>"
