"""Settings: what is in force, where each value was set, what is wrong with a newer file; and who is signed in here."""

from __future__ import annotations

import json
from typing import Any

from freehold.server.console.ask import named
from freehold.server.console.page import Action, Done, Drawn, Page, View

KINDS = (
    ("set", "set somewhere"),
    ("all", "all, defaults too"),
    ("file", "in the file"),
    ("environment", "by a variable"),
)


async def index(view: View) -> Drawn:
    """Every setting by table; those of the file with their lines."""
    kind = view.query.get("kind", "set")
    find = view.query.get("find", "").lower()
    found = await view.ask.looks(config="/api/config", sessions="/api/console/sessions")
    told = found["config"].data or {}
    shown = [one for one in told.get("settings", ()) if _wanted(one, kind, find)]
    data = {
        **found,
        "tables": _tables(shown),
        "count": len(told.get("settings", ())),
        "shown": len(shown),
        "kind": kind,
        "kinds": KINDS,
        "find": view.query.get("find", ""),
        "may_reload": view.may("config:reload"),
        "may_end": view.may("people:write"),
        "file_name": (told.get("file") or "").rpartition("/")[2],
    }
    return Drawn("config.html", "Settings", data, ("freehold config show --origin", "freehold config check"))


async def reload(view: View) -> Done:
    """Read the file again now."""
    told = await view.ask.post("/api/config/reload")
    versions = ", ".join(f"{name} {number}" for name, number in sorted(told["versions"].items()))
    return Done("/config", f"The file was read again: {versions} in force.")


async def sign_out(view: View) -> Done:
    """Sign another browser out."""
    await view.ask.post(named("/api/console/sessions/{}/revoke", view.names["session"]))
    return Done("/config", "That browser is signed out.")


def _wanted(one: dict[str, Any], kind: str, find: str) -> bool:
    if find and find not in one["name"].lower():
        return False
    return kind == "all" or one["kind"] == kind or (kind == "set" and one["kind"] != "default")


def _tables(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Settings by the table that they stand in, such as [routes.assistant] or the second of [[policy.rules]]."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in shown:
        parts = one["name"].split(".")
        if len(parts) > 3 and parts[2].isdigit():
            table, rest = f"[[{parts[0]}.{parts[1]}]] {int(parts[2]) + 1}", parts[3:]
        elif len(parts) > 2:
            table, rest = f"[{parts[0]}.{parts[1]}]", parts[2:]
        else:
            table, rest = f"[{parts[0]}]", parts[1:]
        name = ".".join(f"({int(part) + 1})" if part.isdigit() else part for part in rest).replace(".(", "(")
        found.setdefault(table, []).append({**one, "short": name, "text": _text(one["value"])})
    return [{"name": name, "settings": rows} for name, rows in found.items()]


def _text(value: Any) -> str:
    """A value as TOML would nearly say it."""
    return value if isinstance(value, str) else json.dumps(value)


PAGES = (Page("/config", index),)
ACTIONS = (Action("/config/reload", reload), Action("/config/sessions/{session}/revoke", sign_out))
