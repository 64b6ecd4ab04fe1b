"""Advisories: what is known about engines, models and vendors' models, and what of it is about something here."""

from __future__ import annotations

from collections import Counter

from freehold.server.console.ask import Refused, Trouble, named
from freehold.server.console.models import STANDINGS
from freehold.server.console.page import Action, Done, Drawn, Page, View

ORDER = ("affected", "unknown", "patched", "fixed", "not_affected")


async def index(view: View) -> Drawn:
    """What is about something here, the most urgent first; then everything that is known."""
    return await _index(view)


async def _index(view: View, trouble: Trouble | None = None) -> Drawn:
    found = await view.ask.looks(matches="/api/errata", known="/api/errata/advisories")
    titles = {one["id"]: one["title"] for one in found["known"].data or ()}
    counts = Counter(one["standing"] for one in found["matches"].data or ())
    data: dict[str, object] = {
        **found,
        "titles": titles,
        "counts": [(name, counts.get(name, 0)) for name in ORDER],
        "standings": STANDINGS,
        "may": view.may("models:write"),
        "trouble": trouble,
        "given": view.form if trouble else {},
    }
    commands = ("freehold errata check", "freehold errata list")
    return Drawn("errata.html", "Advisories", data, commands, trouble.status if trouble else 200)


async def show(view: View) -> Drawn:
    """One advisory, and what of it is here."""
    name = view.names["name"]
    one = await view.ask.get(named("/api/errata/advisories/{}", name))
    matches = await view.ask.look("/api/errata")
    here = [match for match in matches.data or () if match["advisory"] == one["id"]]
    data = {"one": one, "matches": matches, "here": here, "standings": STANDINGS}
    return Drawn("advisory.html", f"Advisory {one['id']}", data, (f"freehold errata show {one['id']}",))


async def take(view: View) -> Done | Drawn:
    """Take in a document of advisories, as it came."""
    form = view.form
    body = {"name": form.get("name", "") or "pasted.json", "content": form.get("content", "")}
    body |= {name: form[name].lower() for name in ("signature", "key") if form.get(name)}
    try:
        made = await view.ask.post("/api/errata/documents", body)
    except Refused as refused:
        return await _index(view, refused.trouble)
    signer = f"signed by {made['signer'][:16]}" if made["signer"] else "signed by nobody known"
    return Done("/errata", f"{len(made['advisories'])} taken in, {signer}: {', '.join(made['advisories'][:5])}")


PAGES = (Page("/errata", index), Page("/errata/{name}", show))
ACTIONS = (Action("/errata", take),)
