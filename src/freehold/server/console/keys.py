"""Keys and budgets: who may call and what each may spend; a secret is shown once, by the answer that made it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

from freehold.core.errors import BadRequest
from freehold.identity.rights import RIGHTS
from freehold.identity.roles import ROLES
from freehold.server.console.ask import named
from freehold.server.console.charts import Line, lines
from freehold.server.console.charts_meter import Used, meter
from freehold.server.console.page import Action, Done, Drawn, Page, View

_DAY = 86400.0
DAYS = 30
PERIODS = ("month", "day", "week", "hour", "total")
STATES = {"active": "good", "expired": "warn", "revoked": "plain"}
_NUMBERS = ("requests_per_minute", "tokens_per_minute")


async def index(view: View) -> Drawn:
    """Every key, every budget with how it stands, and a form for a new key."""
    found = await view.ask.looks(keys="/api/keys", budgets="/api/budgets", routes="/api/routes")
    every = view.query.get("every") == "yes"
    data = {
        **found,
        "shown": [one for one in found["keys"].data or () if every or one["state"] != "revoked"],
        "every": every,
        "meters": [_meter(one) for one in found["budgets"].data or ()],
        "of_key": _of_key(found["budgets"].data or ()),
        **_choices(view, found["routes"].data or ()),
    }
    return Drawn("keys.html", "Keys and budgets", data, ("freehold keys list", "freehold usage --budgets"))


async def show(view: View) -> Drawn:
    """One key: what it may, what it spends, and what can be done with it."""
    name = view.names["name"]
    key = await view.ask.get(named("/api/keys/{}", name))
    since = (view.now // _DAY - DAYS + 1) * _DAY
    found = await view.ask.looks(
        budgets="/api/budgets",
        days=f"/api/usage?by=day&key={key['id']}&since={since}",
        newest=f"/api/calls?key={key['id']}&limit=10",
        routes="/api/routes",
    )
    mine = {f"key/{key['name']}", f"team/{key['team']}"}
    data = {
        **found,
        "key": key,
        "kind": STATES.get(key["state"], "plain"),
        "meters": [_meter(one) for one in found["budgets"].data or () if one["budget"] in mine],
        "spending": _spending(found["days"].data or (), since, view.now),
        "since": since,
        "rights_known": RIGHTS,
        **_choices(view, found["routes"].data or ()),
    }
    word = shlex.quote(key["name"])
    commands = (f"freehold keys show {word}", f"freehold calls tail --key {key['id']}")
    return Drawn("key.html", f"Key {key['name']}", data, commands)


async def create(view: View) -> Drawn:
    """Make a key; its secret is in this answer and nowhere else."""
    body = {**_said(view, fresh=True), "name": view.form.get("name", "")}
    made = await view.ask.post("/api/keys", body)
    return Drawn("key_made.html", f"Key {made['name']}", {"key": made, "grace": ""}, status=201)


async def change(view: View) -> Done:
    """Change what a form says otherwise than the key; a field that was emptied takes its limit away."""
    key = await view.ask.get(named("/api/keys/{}", view.names["name"]))
    wanted = {name: value for name, value in _said(view, fresh=False).items() if not _same(key, name, value)}
    if not wanted:
        return Done(f"/keys/{key['name']}", "Nothing was changed.")
    made = await view.ask.patch(named("/api/keys/{}", key["name"]), wanted)
    return Done(f"/keys/{made['name']}", f"{made['name']} was changed: {', '.join(wanted)}.")


async def rotate(view: View) -> Drawn:
    """A new secret, shown once; the old one counts a while longer."""
    hours = _hours(view.form.get("hours", ""))
    made = await view.ask.post(named("/api/keys/{}/rotate", view.names["name"]), {"grace_seconds": hours * 3600})
    return Drawn("key_made.html", f"Key {made['name']}", {"key": made, "grace": f"{hours:g}"})


async def revoke(view: View) -> Done:
    """End a key at once."""
    key = await view.ask.post(named("/api/keys/{}/revoke", view.names["name"]))
    return Done(f"/keys/{key['name']}", f"{key['name']} was revoked: no call counts with it any more.")


def _choices(view: View, routes: Any) -> dict[str, object]:
    return {
        "may_write": view.may("keys:write"),
        "may_admin": view.may("keys:admin"),
        "roles": ROLES if view.may("keys:admin") else ("developer",),
        "periods": PERIODS,
        "route_names": [one["name"] for one in routes],
    }


def _said(view: View, *, fresh: bool) -> dict[str, object]:
    """What a form says, as the API takes it: of a new key only what was filled in."""
    form = view.form
    body: dict[str, object] = {name: form[name] for name in ("team", "role", "label", "period") if form.get(name)}
    for name in (*_NUMBERS, "budget"):
        if form.get(name) or (name in form and not fresh):
            body[name] = int(form[name]) if name in _NUMBERS and form[name].isdecimal() else form[name] or None
    if form.get("expires") or ("expires" in form and not fresh):
        body["expires_at"] = _midnight(form["expires"])
    routes = [one for one in view.forms("routes") if one]
    if "routes_given" in form:
        body["routes"] = ["*"] if "*" in routes or not routes else routes
    if "rights_given" in form:
        body["rights"] = sorted(view.forms("rights"))
    return body


def _same(key: dict[str, Any], name: str, value: object) -> bool:
    """Is that what the key has already?"""
    had = key[name]
    if name == "expires_at":
        return _midnight((had or "")[:10]) == value
    if isinstance(had, list):
        return set(had) == set(value)  # type: ignore[call-overload,no-any-return]
    return str(had or "") == str(value or "")


def _midnight(day: str) -> object:
    """The beginning of a day (UTC) as Unix seconds; what is no day is left for the API to refuse."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() if day else None
    except ValueError:
        return day


def _hours(text: str) -> float:
    try:
        return float(text or 24)
    except ValueError:
        raise BadRequest(f"{text!r} is no number of hours", param="hours") from None


def _meter(one: dict[str, Any]) -> dict[str, Any]:
    limit, spent, held = (float(one[name]) for name in ("limit", "spent", "held"))
    share = spent / limit if limit else 1.0
    kind = "bad" if share >= 1 else "warn" if share >= 0.8 else "good"
    word = {"bad": "used up", "warn": "near its end", "good": "within"}[kind]
    title = f"{one['budget']}: {share:.0%} of ${one['limit']} a {one['period']} spent"
    return {**one, "share": share, "kind": kind, "word": word, "drawn": meter(title, Used(spent, held, limit))}


def _of_key(budgets: Any) -> dict[str, dict[str, Any]]:
    return {one["budget"]: _meter(one) for one in budgets if one["budget"].startswith("key/")}


def _spending(days: Any, since: float, now: float) -> dict[str, Any]:
    """Dollars a day, in order; days without a call are zero."""
    told = {one["group"][0]: one for one in days if not one["own"]}
    at = [since + _DAY * number for number in range(int((now - since) // _DAY) + 1)]
    rows = []
    for moment in at:
        name = datetime.fromtimestamp(moment, UTC).date().isoformat()
        found = told.get(name)
        rows.append({"day": name, "calls": found["calls"] if found else 0, "cost": found["cost"] if found else "0"})
    drawn = lines("Dollars a day", at, (Line("US dollars", tuple(float(one["cost"]) for one in rows)),))
    return {"rows": [one for one in rows if one["calls"]], "drawn": drawn}


PAGES = (Page("/keys", index), Page("/keys/{name:path}", show))
ACTIONS = (
    Action("/keys", create),
    Action("/keys/{name:path}/change", change),
    Action("/keys/{name:path}/revoke", revoke),
    Action("/keys/{name:path}/rotate", rotate),
)
