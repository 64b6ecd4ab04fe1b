"""A scorecard for people: a table for the terminal, and one HTML file that needs nothing else.

Invariant: what comes from traffic (names of applications, classes, targets) is escaped wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from freehold.core.clock import iso
from freehold.core.money import usd
from freehold.evals.proof.interval import Interval
from freehold.evals.scorecards import Left, Scorecard

if TYPE_CHECKING:
    from rich.console import Group

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#6b6b6b;--line:#d5d5d5;--mark:#0b5cad}
@media (prefers-color-scheme:dark){:root{--ink:#eee;--paper:#161616;--soft:#a5a5a5;--line:#3c3c3c;--mark:#7db7f0}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}caption{text-align:left;color:var(--soft)}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
.axis{stroke:var(--soft)}.bar{stroke:var(--mark);stroke-width:3}.dot{fill:var(--mark)}p.lead{font-size:1.15rem}
""".strip()
_WIDTH, _LEFT, _RIGHT, _ROW = 760, 240, 90, 26


class Line:
    """One difference to draw: its name and its interval."""

    __slots__ = ("name", "span")

    def __init__(self, name: str, span: Interval) -> None:
        self.name = name
        self.span = span


def sentence(card: Scorecard) -> str:
    """The one thing to know, in words."""
    if not card.pairs:
        return f"{card.target} was compared on no call: nothing can be said."
    span = card.difference
    if span.low > 0:
        word = "better than"
    elif span.high < 0:
        word = "worse than"
    else:
        word = "not told apart from"
    against = "what people said is right" if card.reference == "annotations" else "the recorded answers"
    return (
        f"On {card.pairs:,} calls, graded by {card.grader} against {against}, {card.target} is {word} the incumbent: "
        f"{points(span.mean)} points, between {points(span.low)} and {points(span.high)} with {span.level:.0%} "
        "confidence."
    )


def figures(card: Scorecard) -> list[tuple[str, str, str]]:
    """Name, candidate, incumbent of every figure, as text."""
    return [
        ("mean score", share(card.quality), share(card.incumbent_quality)),
        (f"tasks passed (score from {card.passes:g})", share(card.passed), "-"),
        ("latency, median", seconds(card.latency_p50), seconds(card.incumbent_p50)),
        ("latency, 95th percentile", seconds(card.latency_p95), seconds(card.incumbent_p95)),
        ("cost of a call", money(card.cost_call), "-"),
        ("cost of a passed task", money(card.cost_passed), "-"),
        ("calls whose scores differ", share(card.discordance), "-"),
        ("differs from its own earlier answers", "-", "not measured" if card.noise is None else _span(card.noise)),
    ]


def terminal(card: Scorecard) -> Group:
    """What `freehold evals show` prints."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Table | Text] = [Text(sentence(card)), Text("")]
    main = Table("", "candidate", "incumbent", title=Text(f"{card.target} on {card.workflow}"), title_justify="left")
    for row in figures(card):
        main.add_row(*(Text(one) for one in row))
    parts.append(main)
    if card.slices:
        table = Table(
            "by", "part", "calls", "score", "difference", "", title=Text(_multiplicity(card)), title_justify="left"
        )
        for one in card.slices:
            span = one.difference
            cells = (one.by, one.name, f"{span.pairs}", share(one.quality), _span(span), _strip(span))
            table.add_row(*(Text(cell) for cell in cells))
        parts.append(table)
    parts += [Text(line) for line in remarks(card)]
    return Group(*parts)


def page(card: Scorecard) -> str:
    """The whole HTML file. It loads nothing, runs nothing, and prints well."""
    lines = [
        Line("all calls", card.difference),
        *(Line(f"{one.by}: {one.name}", one.difference) for one in card.slices),
    ]
    head = f"Scorecard: {escape(card.target)} on {escape(card.workflow)}"
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td class=n>{escape(own)}</td><td class=n>{escape(theirs)}</td></tr>"
        for name, own, theirs in figures(card)
    )
    told = "".join(f"<li>{escape(one)}</li>" for one in remarks(card))
    return f"""<!doctype html>
<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
<title>{head}</title><style>{_STYLE}</style></head><body>
<h1>{head}</h1><p class=lead>{escape(sentence(card))}</p>
<h2>Figures</h2><table><thead><tr><th></th><th class=n>candidate</th><th class=n>incumbent</th></tr></thead>
<tbody>{rows}</tbody></table>
<h2>Difference of the mean score, in points</h2>
{_chart(lines)}
{_table(card, lines)}
<h2>What to know</h2><ul>{told}</ul>
<p>Measured {escape(iso(card.at))}; examples {escape(card.dataset or "not hashed")}.</p>
</body></html>
"""


def _chart(lines: Sequence[Line]) -> str:
    """Each interval as a bar with its mean as a dot, around the line of no difference."""
    spans = [one.span for one in lines]
    low, high = min(-0.01, *(one.low for one in spans)), max(0.01, *(one.high for one in spans))
    inner, height = _WIDTH - _LEFT - _RIGHT, _ROW * (len(lines) + 1)

    def x(value: float) -> float:
        return round(_LEFT + inner * (value - low) / (high - low), 1)

    parts = [f'<line class="axis" x1="{x(0)}" x2="{x(0)}" y1="4" y2="{height - 16}"/>']
    for number, one in enumerate(lines):
        y = _ROW * number + 18
        name = one.name if len(one.name) <= 34 else one.name[:33] + "\u2026"
        parts.append(f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line class="bar" x1="{x(one.span.low)}" x2="{x(one.span.high)}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="dot" cx="{x(one.span.mean)}" cy="{y}" r="5"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 12}" y="{y + 4}">{points(one.span.mean)}</text>')
    parts.append(f'<text x="{x(0)}" y="{height - 2}" text-anchor="middle">no difference</text>')
    label = "Difference of candidate and incumbent with its interval; the table below has the same numbers"
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _table(card: Scorecard, lines: Sequence[Line]) -> str:
    def row(one: Line) -> str:
        numbers = (f"{one.span.pairs:,}", points(one.span.mean), points(one.span.low), points(one.span.high))
        cells = "".join(f"<td class=n>{each}</td>" for each in numbers)
        return f"<tr><th scope=row>{escape(one.name)}</th>{cells}</tr>"

    rows = "".join(row(one) for one in lines)
    headings = "".join(f"<th class=n>{one}</th>" for one in ("calls", "difference", "at least", "at most"))
    caption = f"<caption>{escape(_multiplicity(card))}</caption>" if card.slices else ""
    return f"<table>{caption}<thead><tr><th></th>{headings}</tr></thead><tbody>{rows}</tbody></table>"


def remarks(card: Scorecard) -> list[str]:
    """What to know beside the figures."""
    found = [f"{one.calls:,} calls failed at the candidate ({one.reason}); they score 0." for one in card.failures]
    found += [f"{one.calls:,} calls count for neither side: {one.reason}." for one in _sorted(card.missing)]
    if card.reference == "incumbent":
        found.append(
            "The recorded answers are the reference, so the incumbent scores 1 by construction, right or wrong."
        )
    if card.unpriced:
        found.append(f"{card.unpriced:,} calls have no price; costs are lower bounds.")
    found.append("Intervals stay true however often, and whenever, they are looked at.")
    return found


def _sorted(left: Sequence[Left]) -> list[Left]:
    return sorted(left, key=lambda one: (-one.calls, one.reason))


def _multiplicity(card: Scorecard) -> str:
    return f"parts of the traffic; the {card.multiplicity} intervals hold together with 95% confidence"


def _span(span: Interval) -> str:
    return f"{points(span.mean)} ({points(span.low)} to {points(span.high)})"


def _strip(span: Interval) -> str:
    """An interval in characters: 21 places from -20 to +20 points, `|` is no difference."""

    def place(value: float) -> int:
        return round(10 + 50 * min(0.2, max(-0.2, value)))

    cells = ["\u2500" if place(span.low) <= at <= place(span.high) else " " for at in range(21)]
    cells[10] = "|"
    cells[place(span.mean)] = "\u25cf"
    return "".join(cells)


def points(value: float) -> str:
    """A fraction as points: -0.005 is -0.5."""
    return f"{100 * value:+.1f}"


def share(value: float) -> str:
    """A fraction as a percentage."""
    return f"{value:.1%}"


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return "-"
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def money(value: Decimal | None) -> str:
    """US dollars."""
    return "-" if value is None else usd(value)
