"""Audit: who changed what, whether the log holds together, and what must not be erased."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from freehold.server.console.ask import named
from freehold.server.console.page import Action, Done, Drawn, File, Page, View

PAGE_SIZE = 50
_SCOPES = ("call", "key", "team", "workflow", "subject")


async def index(view: View) -> Drawn:
    """Changes, newest first, under the chain that vouches for them."""
    kind, before = view.query.get("kind", ""), view.query.get("before", "")
    found = await view.ask.looks(chain="/api/audit/chain", holds="/api/audit/holds?released=true")
    entries = await view.ask.look("/api/audit", kind=kind, before=before, limit=PAGE_SIZE)
    rows = [{**one, "told": _told(one["content"])} for one in entries.data or ()]
    last = rows[-1]["leaf"] if len(rows) == PAGE_SIZE else None
    data = {
        **found,
        "entries": entries,
        "rows": rows,
        "kind": kind,
        "next": f"?{urlencode({'kind': kind, 'before': last})}" if last else "",
        "may_hold": view.may("bodies:erase"),
        "held": [one for one in found["holds"].data or () if one["released_at"] is None],
        "released": [one for one in found["holds"].data or () if one["released_at"] is not None],
    }
    kinds = f" --kind {shlex.quote(kind)}" if kind else ""
    commands = ("freehold audit verify", f"freehold audit show{kinds}", "freehold audit export FOLDER")
    return Drawn("audit.html", "Audit", data, commands)


async def hold(view: View) -> Done:
    """Hold what a form names: nobody and nothing erases it until it is released."""
    body = {name: view.form[name] for name in (*_SCOPES, "why") if view.form.get(name)}
    made = await view.ask.post("/api/audit/holds", body)
    return Done("/audit", f"Held: {made['scope']}.")


async def release(view: View) -> Done:
    """Release a hold."""
    path = named("/api/audit/holds/{}/release", view.names["hold"])
    made = await view.ask.post(path, {"why": view.form.get("why", "")})
    return Done("/audit", f"Released: {made['scope']}. What is past its retention goes with the next round.")


def _told(content: Any) -> list[tuple[str, str]]:
    """What a change says, as names and values."""
    try:
        said = json.loads(content)
    except ValueError:
        return [("content", str(content))]
    if not isinstance(said, dict):
        return [("content", str(content))]
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in said.items()]


PAGES = (Page("/audit", index),)
ACTIONS = (Action("/audit/holds", hold), Action("/audit/holds/{hold}/release", release))
FILES = (
    File("/audit/export", "/api/audit/export", name="audit.jsonl"),
    File("/audit/{leaf}/receipt", "/api/receipts/change/{leaf}", name="change-{leaf}.json"),
)
