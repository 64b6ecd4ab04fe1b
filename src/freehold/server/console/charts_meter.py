"""How far something is used up, as one SVG bar: what is spent, what is lent out, and its end. No style of its own."""

from __future__ import annotations

import msgspec
from markupsafe import Markup

WIDTH, HEIGHT = 720, 26


class Used(msgspec.Struct, frozen=True):
    """Amounts of one unit; `spent` may go beyond `limit`."""

    spent: float
    held: float
    limit: float


def meter(title: str, used: Used) -> Markup:
    """A bar of the limit's length, with a line where it ends if more was spent."""
    whole = max(used.limit, used.spent + used.held, 1e-12)
    scale = WIDTH / whole
    spent, held = used.spent * scale, used.held * scale
    end = used.limit * scale
    parts = [
        Markup('<rect class="rest" x="0" y="0" width="{}" height="{}"/>').format(WIDTH, HEIGHT),
        Markup('<rect class="f{}" x="0" y="0" width="{:.1f}" height="{}"/>').format(
            2 if used.spent >= 0.8 * used.limit else 1, spent, HEIGHT
        ),
        Markup('<rect class="f3" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(spent, held, HEIGHT),
    ]
    if end < WIDTH:
        parts.append(Markup('<line class="limit" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(end, HEIGHT))
    told = f"spent {used.spent:g}, lent to gateways {used.held:g}, limit {used.limit:g}"
    return Markup(
        '<svg class="chart meter" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(WIDTH, HEIGHT, title, title, told, Markup("").join(parts))
