"""Channels: which release stands in candidate, stable and lts, and a person's word on it."""

from __future__ import annotations

from typing import Any

from freehold.core.errors import BadRequest
from freehold.server.console.ask import Refused, Trouble, named
from freehold.server.console.page import Action, Done, Drawn, Page, View

NEXT = {"candidate": "stable", "stable": "lts", "lts": ""}
VERBS = ("promote", "back", "freeze", "thaw", "pin", "unpin", "stage")


async def index(view: View) -> Drawn:
    """What stands where."""
    return await _index(view)


async def _index(view: View, trouble: Trouble | None = None) -> Drawn:
    found = await view.ask.looks(channels="/api/channels", models="/api/models")
    channels = found["channels"]
    data: dict[str, object] = {
        **found,
        "stands": any(one["entries"] for one in channels.data or ()),
        "following": NEXT,
        "may": view.may("models:write"),
        "trouble": trouble,
    }
    return Drawn("channels.html", "Channels", data, ("freehold channels list",), trouble.status if trouble else 200)


async def bring(view: View) -> Done | Drawn:
    """Let a model of the store stand in candidate, under a name that is followed."""
    release = view.form.get("release", "")
    name = view.form.get("name", "") or release
    body = {"release": release, "word": view.form.get("word", "")}
    try:
        await view.ask.post(named("/api/channels/candidate/{}/promote", name), body)
    except Refused as refused:
        return await _index(view, refused.trouble)
    return Done("/channels", f"{name} in candidate: {release} stands there.")


async def change(view: View) -> Done | Drawn:
    """One act on what stands in a channel."""
    stage, name, verb = view.names["channel"], view.names["name"], view.form.get("verb", "")
    if verb not in VERBS:
        raise BadRequest(f"{verb[:40]!r} is nothing that can be done here", param="verb")
    channel, path, body = asked(stage, verb, view.form)
    try:
        await view.ask.post(named("/api/channels/{}/{}/" + path, channel, name), body)
    except Refused as refused:
        return await _index(view, refused.trouble)
    return Done("/channels", f"{name} in {channel}: {verb} was done.")


def asked(stage: str, verb: str, form: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """The channel, the verb and the body, as the API takes them."""
    word = form.get("word", "")
    percent = form.get("percent", "") or "100"
    if not percent.isdigit():
        raise BadRequest(f"{percent[:40]!r} is no share of a hundred", param="percent")
    if verb == "promote":
        return NEXT.get(stage, "") or stage, "promote", {"word": word, "percent": int(percent)}
    if verb == "stage":
        return stage, "stage", {"word": word, "percent": int(percent)}
    if verb in ("freeze", "thaw"):
        return stage, "freeze", {"on": verb == "freeze"}
    if verb in ("pin", "unpin"):
        return stage, "pin", {"on": verb == "pin", "word": word}
    return stage, "back", {"word": word}


PAGES = (Page("/channels", index),)
ACTIONS = (Action("/channels", bring), Action("/channels/{channel}/{name}", change))
