"""Playground: one prompt to up to four models, side by side, as calls like any others.

With a script answers appear as they come; without one the form is sent and they are drawn when they are done.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from freehold.server.console.page import Action, Drawn, File, Page, View

MOST = 4
LABELS = ("public", "internal", "confidential", "restricted")
_NUMBERS = ("max_tokens", "temperature")


async def index(view: View) -> Drawn:
    """The form."""
    return await _drawn(view, _chosen(view.queries("models"), view.query), ())


async def ask(view: View) -> Drawn:
    """Ask, wait for every answer, and draw them."""
    body = asked(view)
    raw = await view.ask.post("/api/playground", body)
    events = [json.loads(one) for one in raw.splitlines()] if isinstance(raw, bytes) else []
    told = _chosen(view.forms("models"), view.form)
    return await _drawn(view, told, tuple(_column(one, events) for one in body["models"]))


def asked(view: View) -> dict[str, Any]:
    """What the form says, as the API takes it; the key goes no further."""
    form = view.form
    prompt = view.forms("prompt")
    body: dict[str, Any] = {"models": [one for one in view.forms("models") if one], "prompt": (*prompt, "")[0]}
    body |= {name: form[name] for name in ("system", "key", "label", "secret", *_NUMBERS) if form.get(name)}
    return body


async def _drawn(view: View, told: dict[str, Any], columns: tuple[dict[str, Any], ...]) -> Drawn:
    found = await view.ask.looks(routes="/api/routes", targets="/api/targets")
    keys = await view.ask.look("/api/keys") if view.may("keys:write") else None
    names = [one["name"] for one in (keys.data if keys else None) or () if one["state"] == "active"]
    routes = [one["name"] for one in found["routes"].data or ()]
    pinned = [f"target:{one['name']}" for one in found["targets"].data or ()] if view.may("evals:write") else []
    data = {
        **found,
        "told": told,
        "columns": columns,
        "models": [("", "none"), *((one, one) for one in (*routes, *pinned))],
        "slots": (*(told["models"] or routes[:1]), *[""] * MOST)[:MOST],
        "key_names": [one for one in names if one != "freehold"],
        "pins": bool(pinned),
        "labels": [("", "the key's"), *((one, one) for one in LABELS)],
    }
    said = shlex.quote(told["prompt"] or "Say hello.")
    commands = tuple(
        f"freehold chat --route {shlex.quote(one)} {said}" for one in told["models"] if not one.startswith("target:")
    )
    return Drawn("playground.html", "Playground", data, commands or (f"freehold chat --route ROUTE {said}",))


def _chosen(models: tuple[str, ...], form: Any) -> dict[str, Any]:
    """What the form shows again: everything but a key that was pasted."""
    plain = {name: form.get(name, "") for name in ("prompt", "system", "key", "label", *_NUMBERS)}
    return {**plain, "models": [one for one in models if one][:MOST], "max_tokens": plain["max_tokens"] or "512"}


def _column(model: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """One model's answer, whole, and how it ended."""
    mine = [one for one in events if one["model"] == model]
    text = "".join(one["text"] for one in mine if one["event"] == "text")
    return {"model": model, "text": text, "end": mine[-1] if mine else None}


PAGES = (Page("/playground", index),)
ACTIONS = (Action("/playground", ask),)
FILES = (File("/playground/ask", "/api/playground", method="POST"),)
