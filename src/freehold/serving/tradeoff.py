"""Which variant and which flags to take, and the picture of the trade-off. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from freehold.serving.certified import Slo, Speed, Variant

_STYLE = (
    ":root{color-scheme:light dark}text{font:12px system-ui,sans-serif;fill:CanvasText}"
    ".a{stroke:GrayText}.d{fill:#0b5cad}.c{fill:#b0470a}"
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT = 640, 320, 60, 24, 44


def meets(speed: Speed, slo: Slo) -> bool:
    """Whether one way of serving is as quick as is asked, and answered every call."""
    quick = not slo.latency or speed.latency <= slo.latency
    return quick and speed.failed == 0 and speed.tokens_per_second >= slo.tokens_per_second


def choose(variants: Sequence[Variant], slo: Slo, slack: float = 0.01) -> Variant | None:
    """The smallest variant within the SLO whose score is at most `slack` under the best; None where none is.

    A variant that was not measured is not chosen; where nothing was graded, sizes alone would decide, and so the
    largest is taken: nobody shows that a coarser one does as well.
    """
    fit = [one for one in variants if one.speed.calls and meets(one.speed, slo)]
    graded = [(one.quality, one) for one in fit if one.quality is not None]
    if not graded:
        return None if slo.quality else max(fit, key=lambda one: one.size_bytes, default=None)
    best = max(quality for quality, _ in graded)
    good = [one for quality, one in graded if quality >= max(best - slack, slo.quality)]
    return min(good, key=lambda one: (one.size_bytes, one.name), default=None)


def fastest(tried: Sequence[Speed], slo: Slo) -> Speed | None:
    """Of the ways within the SLO the one with most tokens a second, the plainer one of equals; None where none is."""
    fit = [one for one in tried if meets(one, slo)]
    return max(fit, key=lambda one: (one.tokens_per_second, -one.memory_bytes), default=None)


def picture(variants: Sequence[Variant], chosen: str) -> str:
    """Size against score as SVG that loads nothing; against tokens a second where nothing was graded."""
    graded = all(one.quality is not None for one in variants) and bool(variants)
    points = [(one.size_bytes / 1e6, _height(one, graded=graded), one) for one in variants]
    most_x = max((x for x, _, _ in points), default=1.0) * 1.1 or 1.0
    most_y = 1.0 if graded else max((y for _, y, _ in points), default=1.0) * 1.1 or 1.0
    inner_w, inner_h = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - _FOOT
    base, top = _TOP + inner_h, f"{most_y:.0%}" if graded else f"{most_y:.0f}/s"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        "<title>Size and " + ("score" if graded else "speed") + " of each variant</title>",
        f"<style>{_STYLE}</style>",
        f'<line class="a" x1="{_LEFT}" y1="{base}" x2="{_WIDTH - 20}" y2="{base}"/>',
        f'<line class="a" x1="{_LEFT}" y1="{_TOP}" x2="{_LEFT}" y2="{base}"/>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">0 MB</text>',
        f'<text x="{_WIDTH - 20}" y="{_HEIGHT - 8}" text-anchor="end">{most_x:.0f} MB</text>',
        f'<text x="4" y="{_TOP + 4}">{top}</text>',
    ]
    for x, y, one in points:
        cx, cy = _LEFT + x / most_x * inner_w, base - y / most_y * inner_h
        kind = "c" if one.name == chosen else "d"
        lines.append(f'<circle class="{kind}" cx="{cx:.1f}" cy="{cy:.1f}" r="5"/>')
        lines.append(f'<text x="{cx:.1f}" y="{cy - 9:.1f}" text-anchor="middle">{escape(one.quantisation)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _height(one: Variant, *, graded: bool) -> float:
    return (one.quality or 0.0) if graded else one.speed.tokens_per_second
