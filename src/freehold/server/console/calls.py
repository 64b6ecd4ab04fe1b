"""Traffic: calls as they end, found again, and one of them opened up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from freehold.server.console.ask import Got, named
from freehold.server.console.page import BASE, Action, Done, Drawn, Event, File, Live, Page, Part, View
from freehold.server.console.ticking import ticking

LOOK_SECONDS = 0.5
QUIET_SECONDS = 15.0
"""After which an empty line goes out, so that a browser which left is noticed."""
PAGE_SIZE = 50
FIELDS = ("route", "target", "key", "team", "workflow", "outcome", "since", "until")
OUTCOMES = (("", "any"), *((one, one) for one in ("ok", "refused", "failed", "broken", "cancelled", "lost")))


async def index(view: View) -> Drawn:
    """Calls, newest first, and those that end while one looks."""
    wanted = view.query.get("call", "")
    if wanted:
        return await one_call(view, wanted)
    which = chosen(view)
    end = await view.ask.look("/api/calls/tail", **which)  # before the list, so that no call is in neither
    found = await view.ask.look("/api/calls", **which, cursor=view.query.get("cursor", ""), limit=PAGE_SIZE)
    found.allowed()
    routes = await view.ask.look("/api/routes")
    live = not view.query.get("cursor") and end.trouble is None and found.trouble is None
    data = {
        "found": found,
        "routes": [one["name"] for one in routes.data or ()],
        "outcomes": OUTCOMES,
        "wanted": {name: view.query.get(name, "") for name in FIELDS},
        "filtered": bool(which),
        "live": f"{BASE}/calls/live?{urlencode({**which, 'leaf': end.data['leaf']})}" if live else "",
        "next": older(view, found),
    }
    options = " ".join(f"--{name} {value!r}" for name, value in which.items())
    return Drawn("calls.html", "Traffic", data, (f"freehold calls tail {options}".strip(),))


async def show(view: View) -> Drawn:
    """One call."""
    return await one_call(view, view.names["call"])


async def one_call(view: View, call: str) -> Drawn:
    """Opened up: what was said, why it went where it went, what it cost, and the proof."""
    detail = await view.ask.get(named("/api/calls/{}", call))
    one = detail["call"]
    found = await view.ask.looks(
        receipt=named("/api/receipts/{}", call),
        proof=named("/api/receipts/{}/check", call),
        why=named("/api/calls/{}/why", call),
        said=named("/api/calls/{}/conversation", call),
    )
    commands = (f"freehold calls show {one['id']}", f"freehold receipts verify {one['id']}")
    return Drawn("call.html", f"Call {one['id']}", {**detail, **found, "may_erase": view.may("bodies:erase")}, commands)


async def erase(view: View) -> Done:
    """Erase the words of a call."""
    call = view.names["call"]
    gone = await view.ask.post(named("/api/calls/{}/erase", call), {"why": view.form.get("why", "")})
    return Done(f"/calls/{call}", f"{gone['bodies']} bodies erased; what it cost stays")


async def live(view: View, part: Part) -> AsyncIterator[Event]:
    """Each call that ended after those the page was drawn with, as it ends."""
    which, leaf, waited = chosen(view), view.query.get("leaf", ""), 0.0
    async for _ in ticking(LOOK_SECONDS):
        told = await view.ask.get("/api/calls/tail", leaf=leaf, **which)
        view.ask.asked.clear()
        leaf = told["leaf"]
        for one in told["calls"]:
            yield Event("call", part("calls_row.html", one=one))
        waited = 0.0 if told["calls"] else waited + LOOK_SECONDS
        if waited >= QUIET_SECONDS:
            waited = 0.0
            yield Event("quiet", "")


def chosen(view: View) -> dict[str, Any]:
    """What the form filters by, as the API takes it."""
    return {name: view.query[name] for name in FIELDS if view.query.get(name)}


def older(view: View, found: Got) -> str:
    """The next page's address; empty at the end."""
    cursor = (found.data or {}).get("cursor", "")
    return f"?{urlencode({**chosen(view), 'cursor': cursor})}" if cursor else ""


PAGES = (Page("/calls", index), Page("/calls/{call}", show))
ACTIONS = (Action("/calls/{call}/erase", erase),)
LIVES = (Live("/calls/live", live),)
FILES = (
    File("/calls/export", "/api/calls/export", name="calls.jsonl"),
    File("/calls/{call}/receipt", "/api/receipts/{call}", name="receipt-{call}.json"),
)
