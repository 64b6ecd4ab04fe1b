"""A report as Markdown: the same sections, with the tables in the place of the charts. Pure."""

from __future__ import annotations

from freehold.planner.report.parts import Report, Section, Table


def text(report: Report) -> str:
    """The whole file."""
    parts = [f"# {_plain(report.title)}", "", report.reader, ""]
    for one in report.sections:
        parts += _section(one)
    return "\n".join([*parts, f"_{_plain(report.foot)}_", ""])


def _section(section: Section) -> list[str]:
    lines = [f"## {_plain(section.heading)}", ""]
    for one in section.text:
        lines += [_plain(one), ""]
    for one in section.red:
        lines += [f"**Assumed, not measured:** {_plain(one)}", ""]
    if section.table is not None:
        lines += [*_table(section.table), ""]
    return lines


def _table(table: Table) -> list[str]:
    head = "| " + " | ".join(_cell(one) for one in table.heads) + " |"
    rule = "|" + "---|" * len(table.heads)
    return [head, rule, *("| " + " | ".join(_cell(one) for one in row) + " |" for row in table.rows)]


def _cell(value: str) -> str:
    return _plain(value).replace("|", "\\|")


def _plain(value: str) -> str:
    """Text that is no markup: names come from traffic."""
    for mark in ("\\", "`", "*", "_", "<", ">", "[", "]", "#"):
        value = value.replace(mark, f"\\{mark}")
    return value.replace("\n", " ")
