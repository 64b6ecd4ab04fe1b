"""Charts as SVG, drawn on the server: no script, no style of their own, and a table stands beside each.

Coordinates are pixels of a view box that grows with its place. Values that are None leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 14, 26
_ROW = 26
_LABELS = 210


class Line(msgspec.Struct, frozen=True):
    """A line over the same x as the others."""

    label: str
    values: tuple[float | None, ...]


class Bar(msgspec.Struct, frozen=True):
    """A bar, or an interval with its middle. `shown` is its value in words."""

    label: str
    value: float
    shown: str
    low: float | None = None
    high: float | None = None
    kind: int = 1
    """Which of the four colours."""


class Limit(msgspec.Struct, frozen=True):
    """A threshold across a chart."""

    value: float
    label: str


def lines(
    title: str, at: Sequence[float], series: Sequence[Line], limits: Sequence[Limit] = (), *, log: bool = False
) -> Markup:
    """Lines over a common x; `log` draws y by powers of ten (values up to 0 leave gaps)."""
    values = [value for one in series for value in one.values if value is not None] + [one.value for one in limits]
    scale = _Scale.over([_logged(value) for value in values if value > 0] if log else values)
    x = _across(at)
    body = [_grid(scale, log=log)]
    for number, one in enumerate(series):
        points = [
            None if value is None or (log and value <= 0) else (x(moment), scale.y(_logged(value) if log else value))
            for moment, value in zip(at, one.values, strict=True)
        ]
        body.append(Markup('<path class="line s{}" d="{}"/>').format(number % 4 + 1, _path(points)))
    for limit in limits:
        y = scale.y(_logged(limit.value) if log else limit.value)
        body.append(
            Markup('<line class="limit" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(_LEFT, WIDTH - _RIGHT, y, y)
        )
        body.append(_text(WIDTH - _RIGHT, y - 4, limit.label, "end"))
    for number, one in enumerate(series):
        body.append(
            Markup('<rect class="f{}" x="{}" y="2" width="9" height="9"/>').format(number % 4 + 1, _LEFT + 150 * number)
        )
        body.append(_text(_LEFT + 150 * number + 13, 10, one.label))
    return _svg(title, ", ".join(one.label for one in series), HEIGHT, body)


def bars(title: str, every: Sequence[Bar], limits: Sequence[Limit] = ()) -> Markup:
    """Horizontal bars from zero, each with its value; an interval is drawn across its end."""
    return _rows(title, every, limits, filled=True)


def intervals(title: str, every: Sequence[Bar], limits: Sequence[Limit] = ()) -> Markup:
    """A point with its interval in each row, beside a zero line and thresholds."""
    return _rows(title, every, limits, filled=False)


def tornado(title: str, every: Sequence[Bar]) -> Markup:
    """From low to high around a middle, widest first: what a result depends on most."""
    wide = sorted(every, key=lambda one: -((one.high or one.value) - (one.low or one.value)))
    return _rows(title, wide, (), filled=False)


def share(title: str, parts: Sequence[Bar]) -> Markup:
    """One bar cut into shares of the sum."""
    whole = sum(one.value for one in parts)
    body, x = [], 0.0
    for one in parts:
        width = WIDTH * one.value / whole if whole > 0 else 0.0
        body.append(
            Markup('<rect class="f{}" x="{:.1f}" y="0" width="{:.1f}" height="18"/>').format(one.kind, x, width)
        )
        x += width
    if whole <= 0:
        body.append(Markup('<rect class="rest" x="0" y="0" width="{}" height="18"/>').format(WIDTH))
    told = ", ".join(f"{one.label}: {one.shown}" for one in parts)
    return _svg(title, told, 18, body)


def spark(title: str, values: Sequence[float | None]) -> Markup:
    """A small line without axes."""
    scale = _Scale.over([one for one in values if one is not None], top=3, bottom=37)
    step = WIDTH / max(1, len(values) - 1)
    points = [None if one is None else (step * index, scale.y(one)) for index, one in enumerate(values)]
    return _svg(title, "", 40, [Markup('<path class="line s1" d="{}"/>').format(_path(points))])


class _Scale(msgspec.Struct, frozen=True):
    low: float
    high: float
    top: float
    bottom: float

    @classmethod
    def over(cls, values: Sequence[float], top: float = _TOP + 6, bottom: float = HEIGHT - _BOTTOM) -> _Scale:
        good = [one for one in values if math.isfinite(one)]
        low, high = min([0.0, *good]) if not good or min(good) >= 0 else min(good), max(good, default=1.0)
        return cls(low, high if high > low else low + 1.0, top, bottom)

    def y(self, value: float) -> float:
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.bottom - part * (self.bottom - self.top)


def _rows(title: str, every: Sequence[Bar], limits: Sequence[Limit], *, filled: bool) -> Markup:
    ends = [value for one in every for value in (one.value, one.low, one.high) if value is not None]
    ends += [one.value for one in limits] + ([0.0] if filled or any(value < 0 for value in ends) else [])
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    high = high if high > low else low + 1.0
    height = _ROW * len(every) + (18 if limits else 4)

    def x(value: float) -> float:
        return _LABELS + (value - low) / (high - low) * (WIDTH - _LABELS - 110)

    body = []
    if low <= 0 <= high:
        body.append(
            Markup('<line class="zero" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(x(0), _ROW * len(every))
        )
    for number, one in enumerate(every):
        middle = _ROW * number + _ROW / 2
        body.append(_text(_LABELS - 8, middle + 4, _short(one.label), "end"))
        if filled:
            left, right = sorted((x(0), x(one.value)))
            body.append(
                Markup('<rect class="f{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="14"/>').format(
                    one.kind, left, middle - 7, max(1.0, right - left)
                )
            )
        if one.low is not None and one.high is not None:
            body.append(
                Markup('<line class="line s{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
                    2 if filled else one.kind, x(one.low), x(one.high), middle, middle
                )
            )
        if not filled:
            body.append(
                Markup('<circle class="f{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(one.kind, x(one.value), middle)
            )
        body.append(_text(WIDTH, middle + 4, one.shown, "end", "strong"))
    for limit in limits:
        body.append(
            Markup('<line class="limit" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(
                x(limit.value), _ROW * len(every)
            )
        )
        body.append(_text(x(limit.value), height - 4, limit.label, "middle"))
    return _svg(title, "; ".join(f"{one.label}: {one.shown}" for one in every), height, body)


def _svg(title: str, told: str, height: float, body: Sequence[Markup]) -> Markup:
    inner = Markup("").join(body)
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}"><title>{}</title><desc>{}</desc>{}</svg>'
    ).format(WIDTH, height, title, title, told, inner)


def _grid(scale: _Scale, *, log: bool) -> Markup:
    found = []
    for value in _tens(scale.low, scale.high) if log else _ticks(scale.low, scale.high):
        y = scale.y(value)
        found.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(_LEFT, WIDTH - _RIGHT, y, y)
        )
        found.append(_text(_LEFT - 6, y + 4, _number(10**value if log else value), "end"))
    return Markup("").join(found)


def _ticks(low: float, high: float) -> list[float]:
    """Four or five round values."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(one for one in (1, 2, 2.5, 5, 10) if (high - low) / (step * one) <= 5)
    first = math.ceil(low / step)
    return [step * number for number in range(first, math.floor(high / step) + 1)]


def _tens(low: float, high: float) -> list[float]:
    """At most six whole powers of ten."""
    step = max(1, math.ceil((high - low) / 5))
    return [float(one) for one in range(math.ceil(low / step) * step, math.floor(high) + 1, step)]


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    drawn, down = [], False
    for point in points:
        if point is not None:
            drawn.append(f"{'L' if down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        down = point is not None
    return "".join(drawn)


def _across(at: Sequence[float]) -> _Across:
    return _Across(min(at, default=0.0), max(at, default=1.0))


class _Across(msgspec.Struct, frozen=True):
    first: float
    last: float

    def __call__(self, moment: float) -> float:
        span = self.last - self.first
        part = (moment - self.first) / span if span > 0 else 0.5
        return _LEFT + part * (WIDTH - _LEFT - _RIGHT)


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(text)
    )


def _short(label: str) -> str:
    return label if len(label) <= 30 else label[:29] + "…"


def _number(value: float) -> str:
    size = abs(value)
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            return f"{value / (1e3 if name == 'k' else unit):g}{name}"
    return f"{value:.3g}" if size < 1000 else f"{value:,.0f}"


def _logged(value: float) -> float:
    return math.log10(value)
