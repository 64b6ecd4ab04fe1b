"""Models: what is owned, its papers, what waits for a person, who serves it and how busy, advisories, channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freehold.core.errors import BadRequest
from freehold.server.console.ask import Got, Refused, Trouble, named
from freehold.server.console.page import Action, Done, Drawn, File, Page, View

HOUR = 3600
LOAD_HOURS = 24
VERDICTS = {"allow": "good", "review": "warn", "block": "bad"}
STANDINGS = {"affected": "bad", "unknown": "warn", "patched": "info", "fixed": "good", "not_affected": "plain"}
PHASES = {"ready": "good", "starting": "info", "restarting": "warn", "stopping": "plain", "failed": "bad"}
KINDS = (("", "as its files say"), "chat", "embedding", "classifier", "adapter", "prompt")
DAYS = (("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"))
EMBEDDED = ("owned-chat", "owned-embed")
_NUMBERS = ("threads", "context", "slots")
_BOUNDS = ("latency", "tokens_per_second", "quality")


async def index(view: View) -> Drawn:
    """Everything that is owned."""
    return await _index(view)


async def _index(view: View, trouble: Trouble | None = None) -> Drawn:
    found = await view.ask.looks(
        models="/api/models",
        held="/api/models/held",
        standings="/api/models/deployments",
        engines="/api/engines",
        channels="/api/channels",
        errata="/api/errata",
        certified="/api/certified",
        load=_load_path(view.now),
    )
    every = found["models"].data or ()
    touched = advisories(every, found["errata"].data or ())
    data: dict[str, object] = {
        **found,
        "rows": [{**one, **shown(one), "touched": touched[one["name"]]} for one in every],
        "serving": serving(found["standings"].data or (), found["load"]),
        "waiting": [{**one, "problems": problems(one["judged"])} for one in found["held"].data or ()],
        "entries": [
            {**entry, "stage": channel["stage"]}
            for channel in found["channels"].data or ()
            for entry in channel["entries"]
        ],
        "badges": {"verdict": VERDICTS, "phase": PHASES, "standing": STANDINGS},
        "kinds": KINDS,
        "days": DAYS,
        "may": view.may("models:write"),
        "trouble": trouble,
        "given": view.form if trouble else {},
    }
    commands = ("freehold models list", "freehold models held", "freehold deploy list")
    return Drawn("models.html", "Models", data, commands, trouble.status if trouble else 200)


async def show(view: View) -> Drawn:
    """One model with its papers."""
    return await _one(view)


async def _one(view: View, verified: Mapping[str, Any] | None = None, trouble: Trouble | None = None) -> Drawn:
    name = view.names["name"]
    model = await view.ask.get(named("/api/models/{}", name))
    paths = {part: named("/api/models/{}/" + part, name) for part in ("licence", "lineage")}
    if "inspect" in view.query:
        paths["inspected"] = named("/api/models/{}/inspect", name)
    found = await view.ask.looks(
        models="/api/models",
        certified="/api/certified",
        channels="/api/channels",
        engines="/api/engines",
        errata="/api/errata",
        load=_load_path(view.now),
        **paths,
    )
    others = found["models"].data or ()
    data: dict[str, object] = {
        **found,
        "found_licence": found["licence"],
        "found_lineage": found["lineage"],
        "model": {**model, **shown(model)},
        "inspected": found.get("inspected"),
        "measured": [one for one in found["certified"].data or () if one["model"] == name],
        "verified": verified,
        "trouble": trouble,
        "touched": advisories([model], found["errata"].data or ())[name],
        "adapters": [one for one in others if (one["lineage"] or {}).get("base") == name],
        "serving": serving(model["deployments"], found["load"]),
        "stands": [
            {**entry, "stage": channel["stage"]}
            for channel in found["channels"].data or ()
            for entry in channel["entries"]
            if entry["release"]["artefact"] == name
        ],
        "badges": {"verdict": VERDICTS, "phase": PHASES, "standing": STANDINGS},
        "days": DAYS,
        "may": view.may("models:write"),
    }
    commands = (f"freehold models show {name}", f"freehold models bom {name}", f"freehold models verify {name}")
    return Drawn("model.html", f"Model {name}", data, commands, trouble.status if trouble else 200)


async def add(view: View) -> Done | Drawn:
    """Let a model in, by the one way in."""
    names = ("source", "name", "kind", "licence", "base")
    body = {name: view.form[name] for name in names if view.form.get(name)}
    try:
        made = await view.ask.post("/api/models", body)
    except Refused as refused:
        return await _index(view, refused.trouble)
    return Done(named("/models/{}", made["name"]), f"{made['name']} is in the store, with its papers.")


async def review(view: View) -> Done:
    """Vouch for what waits."""
    name = view.names["name"]
    days = _whole("days", view.form.get("days", ""))
    made = await view.ask.post(named("/api/models/{}/review", name), {"expires_seconds": days * 86400})
    until = (made["papers"] or {}).get("reviewed_until", "")[:10]
    return Done(named("/models/{}", name), f"You vouch for {name}" + (f" until {until}." if until else "."))


async def refuse(view: View) -> Done:
    """Let go of what waits."""
    name = view.names["name"]
    await view.ask.post(named("/api/models/{}/refuse", name))
    return Done("/models", f"{name} was let go; nothing of it is kept.")


async def verify(view: View) -> Drawn:
    """Read every byte again."""
    return await _one(view, verified=await view.ask.post(named("/api/models/{}/verify", view.names["name"])))


async def deploy(view: View) -> Done | Drawn:
    """Serve it under a target's name."""
    name, target, engine = view.names["name"], view.form.get("target", ""), view.form.get("engine", "")
    numbers = {one: _whole(one, view.form[one]) for one in _NUMBERS if view.form.get(one)}
    path = named("/api/models/{}/deploy", name)
    body: dict[str, object] = {"target": target, **numbers}
    if engine:
        path, body = named("/api/engines/{}/adapters", engine), {"target": target, "model": name}
    try:
        made = await view.ask.post(path, body)
    except Refused as refused:
        return await _one(view, trouble=refused.trouble)
    return Done(named("/models/{}", name), f"{made['name']} is starting; calls are led to it once it answers.")


async def optimise(view: View) -> Done | Drawn:
    """Have it found out how it is best served."""
    name = view.names["name"]
    body: dict[str, object] = {"workflow": view.form.get("workflow", "")}
    if view.form.get("types"):
        body["types"] = [one.strip() for one in view.form["types"].split(",") if one.strip()]
    try:
        body |= {one: float(view.form[one]) for one in _BOUNDS if view.form.get(one)}
    except ValueError:
        raise BadRequest("a bound is no number") from None
    try:
        job = await view.ask.post(named("/api/models/{}/optimise", name), body)
    except Refused as refused:
        return await _one(view, trouble=refused.trouble)
    return Done(named("/models/{}", name), f"It is being measured ({job['job']}); what is found stands here, signed.")


async def undeploy(view: View) -> Done:
    """Stop serving under a target's name."""
    target = view.names["target"]
    await view.ask.post(named("/api/models/deployments/{}/undeploy", target))
    return Done("/models", f"{target} takes no new call; its engine stops when those under way have ended.")


async def remove(view: View) -> Done | Drawn:
    """Forget a model and its bytes."""
    name = view.names["name"]
    try:
        await view.ask.post(named("/api/models/{}/remove", name))
    except Refused as refused:
        return await _one(view, trouble=refused.trouble)
    return Done("/models", f"{name} and its bytes are gone.")


def shown(model: Mapping[str, Any]) -> dict[str, Any]:
    """What pages say of a manifest's papers; `unknown` where it came in before there were papers."""
    papers = model["papers"] or {}
    licence = papers.get("licence") or {}
    signature = papers.get("signature") or {}
    return {
        "size": sum(one["size"] for one in model["files"]),
        "scan": papers.get("scan", ""),
        "licence_verdict": licence.get("verdict", ""),
        "signed": signature.get("signer", "") if signature.get("method", "none") != "none" else "",
        "method": signature.get("method", "none"),
        "reviewed_by": papers.get("reviewed_by", ""),
        "reviewed_until": papers.get("reviewed_until", ""),
        "made_here": bool(model["making"]["how"] == "train"),
    }


def problems(judged: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every reason of a judgement, the hardest first, with where it was found."""
    report = judged["report"]
    found = list(report["reasons"]) + [reason for file in report["files"] for reason in file["reasons"]]
    order = {"block": 0, "review": 1, "allow": 2}
    return sorted(found, key=lambda one: (order.get(one["verdict"], 0), one["code"], one["where"]))


def advisories(
    models: Iterable[Mapping[str, Any]], matches: Sequence[Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """Matches by model, along the lineage too."""
    return {
        one["name"]: [match for match in matches if match["what"].partition("@")[0] == one["name"]] for one in models
    }


def serving(standings: Iterable[Mapping[str, Any]], load: Got) -> list[dict[str, Any]]:
    """Deployments with what the ledger says of their calls; None where a role may not see that."""
    rows = {one["group"][0]: one for one in load.data or () if not one["own"]}
    known = load.trouble is None
    return [
        {
            **one,
            "calls": rows[one["name"]]["calls"] if one["name"] in rows else (0 if known else None),
            "errors": rows[one["name"]]["errors"] if one["name"] in rows else (0 if known else None),
            "p95": rows[one["name"]]["p95"] if one["name"] in rows else None,
            "embedded": one["name"] in EMBEDDED,
        }
        for one in standings
    ]


def _load_path(now: float) -> str:
    """Usage by target since a whole hour, a day ago: the ledger has sums of whole hours."""
    return f"/api/usage?by=target&since={int(now // HOUR - LOAD_HOURS) * HOUR}"


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"{name}: {text[:40]!r} is no whole number", param=name) from None


PAGES = (Page("/models", index), Page("/models/{name}", show))
ACTIONS = (
    Action("/models", add),
    Action("/models/deployments/{target}/undeploy", undeploy),
    Action("/models/{name}/deploy", deploy),
    Action("/models/{name}/optimise", optimise),
    Action("/models/{name}/refuse", refuse),
    Action("/models/{name}/remove", remove),
    Action("/models/{name}/review", review),
    Action("/models/{name}/verify", verify),
)
FILES = (
    File("/models/certified/{cell}/picture", "/api/certified/{cell}/picture"),
    File("/models/{name}/bom", "/api/models/{name}/bom", name="{name}.cdx.json"),
)
