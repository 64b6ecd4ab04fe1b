"""What doctor advises from facts of a running instance: advisories that count here, and models whose end is announced.

Pure: from the answers of the management API to (state, about, message, fix). Unknown is told, never taken for clean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Line = tuple[str, str, str, str]


def errata(found: Iterable[dict[str, Any]]) -> Iterator[Line]:
    """Each advisory that counts here in a line; the unknown by what they are about; one line where all is well."""
    quiet = True
    unknown: dict[str, list[str]] = {}
    for one in found:
        if one["standing"] == "unknown":
            unknown.setdefault(one["what"], []).append(one["advisory"])
        elif one["standing"] in ("affected", "patched"):
            quiet = False
            via = f" by way of {' < '.join(one['via'])}" if one["via"] else ""
            message = f"has advisory {one['advisory']}{via}: {one['reason']}"
            held = one["standing"] == "patched"
            message = f"{message}; a virtual patch keeps it away" if held else message
            fix = one["fix"] or f"freehold errata show {one['advisory']}"
            yield "warn" if held else "fail", one["what"], message, fix
    for what, names in sorted(unknown.items()):
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield "warn", what, f"nobody can tell whether {shown} is about it", "see why: freehold errata check"
    if quiet and not unknown:
        yield "ok", "errata", "no advisory known here is about anything here", ""


def lifecycle(found: Iterable[dict[str, Any]]) -> Iterator[Line]:
    """Each target whose end is announced: a failure once it has ended, a warning before."""
    quiet = True
    for one in found:
        if one["state"] not in ("ended", "ending", "deprecated"):
            continue
        quiet = False
        routes = f"; routes {', '.join(one['routes'])} lead to it" if one["routes"] else ""
        day = f" on {one['ends_on']}" if one["ends_on"] else ""
        left = f", {one['days_left']} days left" if one["state"] == "ending" else ""
        message = f"{one['model']} is {one['state']}{day}{left}{routes}"
        fix = f"freehold lifecycle move {one['target']}" if one["workflows"] else "freehold lifecycle list"
        yield "fail" if one["state"] == "ended" else "warn", f"target {one['target']}", message, fix
    if quiet:
        yield "ok", "lifecycle", "no target's end is announced", ""
