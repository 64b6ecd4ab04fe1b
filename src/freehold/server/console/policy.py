"""Policy: every decision the rules in force lead to, one of them explained, and what they rest on."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode

from freehold.core.label import Label, Level
from freehold.server.console.ask import named
from freehold.server.console.page import Drawn, Page, View

_ANY = "*"


async def index(view: View) -> Drawn:
    """The compiled table; with a target also why that one decision falls as it does."""
    asked = {name: view.query.get(name, "") for name in ("target", "label", "team", "route")}
    where = {"team": asked["team"] or _ANY, "route": asked["route"] or _ANY}
    found = await view.ask.looks(
        policy="/api/policy", origins="/api/policy/origins", targets="/api/targets", routes="/api/routes"
    )
    found["table"] = await view.ask.look("/api/policy/table", **where)
    label = asked["label"] or "unknown"
    if asked["target"]:
        found["why"] = await view.ask.look("/api/policy/explain", target=asked["target"], label=label, **where)
    call = {name: view.query.get(f"call_{name}", "") for name in ("route", "label", "key")}
    if call["route"]:
        path = named("/api/routes/{}/explain", call["route"])
        found["goes"] = await view.ask.look(path, label=call["label"], key=call["key"])
    rules = (found["policy"].data or {}).get("rules", ())
    data = {
        **found,
        "wanted": {**asked, "label": label},
        "wants": bool(asked["target"]),
        "call": call,
        "matrix": _matrix(found["table"].data or ()),
        "columns": list(dict.fromkeys(one["target"] for one in found["table"].data or ())),
        "rules": [{**one, "from": _label(one["label"])} for one in rules],
        "target_names": [one["name"] for one in found["targets"].data or ()],
        "route_names": [one["name"] for one in found["routes"].data or ()],
        "scope": urlencode({name: value for name, value in where.items() if value != _ANY}),
    }
    return Drawn("policy.html", "Policy", data, (*_explained(call), *_commands(asked, label, where)))


async def facts(view: View) -> Drawn:
    """What is known of who serves rented models, row by row."""
    party = view.query.get("party", "")
    found = await view.ask.get("/api/policy/facts", party=party)
    return Drawn("policy_facts.html", "What is known of vendors", {"facts": found, "party": party})


def _commands(asked: dict[str, str], label: str, where: dict[str, str]) -> tuple[str, ...]:
    scope = "".join(f" --{name} {shlex.quote(value)}" for name, value in where.items() if value != _ANY)
    table = f"freehold policy table{scope}"
    if not asked["target"]:
        return (table,)
    return (f"freehold policy explain {shlex.quote(asked['target'])} --label {shlex.quote(label)}{scope}", table)


def _explained(call: dict[str, str]) -> tuple[str, ...]:
    if not call["route"]:
        return ()
    more = "".join(f" --{name} {shlex.quote(call[name])}" for name in ("label", "key") if call[name])
    return (f"freehold routes explain {shlex.quote(call['route'])}{more}",)


def _matrix(judged: Any) -> list[dict[str, Any]]:
    """A row for each label, its cells in the order of the targets."""
    rows: dict[str, dict[str, Any]] = {}
    for one in judged:
        rows.setdefault(one["label"], {"label": one["label"], "cells": []})["cells"].append(one)
    return list(rows.values())


def _label(told: dict[str, Any]) -> str:
    return str(Label(Level(told["level"]), frozenset(told["regimes"])))


PAGES = (Page("/policy", index), Page("/policy/facts", facts))
