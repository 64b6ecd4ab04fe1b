"""A report as one HTML file that opens offline: no script, nothing fetched, all text escaped. Pure."""

from __future__ import annotations

from html import escape

from freehold.planner.report.parts import Report, Section, Table
from freehold.planner.report.svg import drawn

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h1{margin-bottom:.2rem}h2{margin-top:2.2rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.92rem}th,td{text-align:left;"
    "padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.small{color:#555;font-size:.85rem}"
    ".red{color:#b3261e;font-weight:600}code{word-break:break-all}svg{margin:.6rem 0}"
    "@media print{body{margin:0;max-width:none}h2{break-after:avoid}table,svg{break-inside:avoid}}"
)


def page(report: Report) -> str:
    """The whole file."""
    title = escape(report.title)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
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
        parts.append(drawn(section.chart))
    if section.table is not None:
        parts.append(_table(section.table))
    return "".join(parts)


def _table(table: Table) -> str:
    numbers = [_numbers(table, column) for column in range(len(table.heads))]

    def cell(tag: str, text: str, column: int) -> str:
        kind = ' class="n"' if numbers[column] else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", text, at) for at, text in enumerate(table.heads))
    body = "".join(
        "<tr>" + "".join(cell("td", text, at) for at, text in enumerate(row)) + "</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _numbers(table: Table, column: int) -> bool:
    found = [row[column] for row in table.rows]
    return bool(found) and all(one[:1].isdigit() or one[:2].lstrip("-")[:1].isdigit() for one in found)
