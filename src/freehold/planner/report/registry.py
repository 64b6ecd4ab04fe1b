"""The reports, by reader, and the formats they are written in."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from freehold.core.canonical import exact
from freehold.planner.plan import Plan
from freehold.planner.report import html, markdown
from freehold.planner.report.cfo import cfo
from freehold.planner.report.ciso import ciso
from freehold.planner.report.cto import cto
from freehold.planner.report.parts import Report

REPORTS: tuple[tuple[str, Callable[[Plan, str], Report]], ...] = (
    ("cfo", cfo),
    ("ciso", ciso),
    ("cto", cto),
)
FORMATS = ("html", "json", "md")


def report(plan: Plan, digest: str, reader: str, form: str) -> bytes:
    """One report as a file. Raises KeyError for a reader or form that is none of the registry's."""
    made = dict(REPORTS)[reader](plan, digest)
    if form == "html":
        return html.page(made).encode()
    if form == "md":
        return markdown.text(made).encode()
    if form == "json":
        return exact(msgspec.to_builtins(made)) + b"\n"
    raise KeyError(form)
