"""A report as one HTML file that opens offline: no script, nothing fetched, all text escaped. Pure."""

from __future__ import annotations

from html import escape

from freehold.planner.report.parts import Report, Section, Table
from freehold.planner.report.svg import drawn
from freehold.planner.report.words import UNSTATED

_STYLE = (
    ":root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#555;--rule:#ccc;--red:#b3261e;"
    "--c0:#3f8f75;--c1:#1d4e89;--c2:#b3261e;--c3:#8a5a00;--c4:#5b3a8c}"
    "@media (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616;--soft:#aaa;--rule:#444;--red:#ff8a80;"
    "--c0:#5cb896;--c1:#7fb0ea;--c2:#ff8a80;--c3:#e0b050;--c4:#b79ae6}}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:84rem;margin:2rem auto;padding:0 1rem;color:var(--ink);"
    "background:var(--paper)}h1{margin-bottom:.2rem}h2{margin-top:2.2rem}p{max-width:48rem}"
    "div{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;min-width:min(100%,40rem);font-size:.92rem}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top}"
    "td:last-child{min-width:6rem}td:first-child{min-width:5.5rem}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}"
    ".small{color:var(--soft);font-size:.85rem}td span{color:var(--soft);font-size:.85rem}"
    ".red{color:var(--red);font-weight:600}svg{display:block;width:100%;min-width:34rem;max-width:52rem;"
    "fill:var(--ink)}@media print{body{margin:0;max-width:none;font-size:12px}div{overflow:visible}"
    "svg{min-width:0}h2{break-after:avoid}table,svg{break-inside:avoid}}"
)
_NOTHING = ("-", "never", UNSTATED)
"""What stands in the place of a number."""


def page(report: Report) -> str:
    """The whole file."""
    title = escape(report.title)
    fits = '<meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f'<meta charset="utf-8">{fits}<title>{title}</title>'
    body = "".join(_section(one) for one in report.sections)
    foot = f'<p class="small">{escape(report.foot)}</p>'
    top = f"<h1>{title}</h1><p class='small'>{escape(report.reader)}</p>"
    whole = f"<head>{head}<style>{_STYLE}</style></head><body>{top}{body}{foot}</body>"
    return f'<!doctype html><html lang="en">{whole}</html>'


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(one)}</p>" for one in section.text]
    parts += [f'<p class="red">Assumed, not measured: {escape(one)}</p>' for one in section.red]
    if section.chart is not None:
        parts.append(f"<div>{drawn(section.chart)}</div>")
    if section.table is not None:
        parts.append(_table(section.table))
    return "".join(parts)


def _table(table: Table) -> str:
    numbers = [_numbers(table, column) for column in range(len(table.heads))]

    def cell(tag: str, text: str, column: int) -> str:
        kind = ' class="n"' if numbers[column] else ""
        return f"<{tag}{kind}>{_ranged(text) if kind and tag == 'td' else escape(text)}</{tag}>"

    head = "".join(cell("th", text, at) for at, text in enumerate(table.heads))
    body = "".join(
        "<tr>" + "".join(cell("td", text, at) for at, text in enumerate(row)) + "</tr>" for row in table.rows
    )
    return f'<div tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _ranged(text: str) -> str:
    """A figure, and its range on a line of its own."""
    figure, mark, rest = text.partition(" (")
    return f"{escape(figure)}<br><span>({escape(rest)}</span>" if mark else escape(text)


def _numbers(table: Table, column: int) -> bool:
    found = [row[column] for row in table.rows if row[column] not in _NOTHING]
    return bool(found) and all(one[:2].lstrip("-+")[:1].isdigit() for one in found)
