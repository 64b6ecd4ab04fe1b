"""Bifrost's `config.json`: each provider's models become targets and routes named `provider/model`.

Its fields are described at https://docs.getbifrost.ai/deployment-guides/config-json (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freehold.settings.foreign import guards
from freehold.settings.foreign.document import Document, Path
from freehold.settings.foreign.draft import Draft, credential
from freehold.settings.foreign.guards import Guard
from freehold.settings.foreign.vendors import OWN_SERVERS, OWNED_NOTE, elsewhere, identifier, known

_PERIODS = {"1h": "hour", "1d": "day", "24h": "day", "1w": "week", "7d": "week", "1M": "month", "30d": "month"}
"""Spellings of reset durations for our periods; a week and a month begin with the calendar's here."""


def recognised(root: Mapping[str, Any]) -> bool:
    """Is this one?"""
    return isinstance(root.get("providers"), Mapping)


def convert(document: Document) -> Draft:
    """The draft; the document knows afterwards what became of each field."""
    draft = Draft()
    for maker in document.table("providers"):
        _provider(document, draft, str(maker))
    _governance(document, draft)
    if guard := _guarded(document, draft):
        for route in draft.tables.get("routes", {}).values():
            route["guard"] = guard
    return draft


def _provider(document: Document, draft: Draft, maker: str) -> None:
    path: Path = ("providers", maker)
    row, base = known(maker), document.get(*path, "network_config", "base_url")
    if not row and not isinstance(base, str):
        document.say(
            path, "not supported", note=f"{maker} has no OpenAI endpoint here: write [providers.{maker}] yourself"
        )
        return
    host = elsewhere(row or maker, base)
    content: dict[str, Any] = {"vendor": row} if row and not (row == "openai" and host) else {}
    if isinstance(base, str):
        content["base_url"] = base.rstrip("/").removesuffix("/v1") + "/v1"
    if maker.lower() in OWN_SERVERS:
        document.say(
            (*path, "network_config", "base_url"), "approximated", f"providers.{identifier(maker)}", OWNED_NOTE
        )
    document.say((*path, "network_config", "base_url"), "exact", f"providers.{identifier(maker)}.base_url")
    keys = range(len(document.rows(*path, "keys")))
    key = credential(document, (*path, "keys", 0, "value"), row, f"providers.{identifier(maker)}.api_key", host)
    if key:
        content["api_key"] = key
    name = draft.provider(maker, content)
    for number in keys:
        where = (*path, "keys", number)
        if number:
            document.say((*where, "value"), "not supported", note="a provider has one key: add [providers] for more")
        for at, model in enumerate(document.rows(*where, "models")):
            _model(document, draft, maker, name, (*where, "models", at), model)
        document.say((*where, "name"), "approximated", f"providers.{name}", "a provider's name stands for its key")
        document.say((*where, "weight"), "not supported", note="a provider has one key: weights are of targets")
    retries = (*path, "network_config", "max_retries")
    document.say(retries, "approximated", "routes.*.attempts", "routes try up to 3 attempts, on other targets too")
    document.say((*path, "network_config"), "approximated", note="each target has its own limits of silence")


def _model(document: Document, draft: Draft, maker: str, provider: str, path: Path, model: Any) -> None:
    if not isinstance(model, str) or "*" in model:
        document.say(path, "not supported", note="a pattern: name each model as a target of its own")
        return
    target = draft.add("targets", model, {"provider": provider, "model": model}, again=(provider, model))
    route = f"{maker}/{model}"
    draft.add("routes", route, {"targets": [target]}, again=(route,))
    document.say(path, "exact", f"routes.{identifier(route)}")


_SIDES = {"input": ["in"], "output": ["out"], "both": ["in", "out"]}


def _guarded(document: Document, draft: Draft) -> str:
    """Its guardrails as one profile; its name, empty for none."""
    guard = Guard(document, draft, "imported")
    base: Path = ("guardrails_config",)
    sides: dict[str, list[str]] = {}
    for number, rule in enumerate(document.rows(*base, "guardrail_rules")):
        path = (*base, "guardrail_rules", number)
        if not isinstance(rule, Mapping) or rule.get("enabled") is False:
            document.say(path, "not supported", note="it is switched off")
            continue
        for one in document.rows(*path, "provider_config_ids"):
            sides[str(one)] = sorted({*sides.get(str(one), []), *_SIDES.get(str(rule.get("apply_to")), ["in", "out"])})
        guard.say((*path, "apply_to"), "exact")
        guard.say((*path, "provider_config_ids"), "exact")
        guard.say(path, "approximated", "no condition and no share is kept: it holds for every call")
    for number, row in enumerate(document.rows(*base, "guardrail_providers")):
        path = (*base, "guardrail_providers", number)
        directions = sides.get(str(row.get("id"))) if isinstance(row, Mapping) else None
        if directions is None or document.get(*path, "enabled") is False:
            document.say(path, "not supported", note="no rule that is switched on names it")
            continue
        _check(document, guard, path, directions)
    return guard.written()


def _check(document: Document, guard: Guard, path: Path, directions: list[str]) -> None:
    named = str(document.get(*path, "provider_name"))
    action = guards.action_of(document.get(*path, "config", "mode", default="block"), "block")
    if named == "regex":
        for at, row in enumerate(document.rows(*path, "config", "patterns")):
            if isinstance(row, Mapping):
                flags = "".join(one for one in str(row.get("flags") or "") if one in "ims")
                guard.pattern((*path, "config", "patterns", at), row.get("pattern"), flags, action, directions)
        guard.say(path, "exact")
    elif detector := guards.service(named):
        guard.rule(detector, action, directions)
        guard.say(path, "approximated", guards.JUDGED)
    else:
        guard.say(path, "not supported", f"nothing here looks for what {named[:60]} looks for")


def _governance(document: Document, draft: Draft) -> None:
    """Budgets of teams and keys; the keys themselves are made anew, as their values are not for files."""
    budgets = {
        str(row.get("id")): n
        for n, row in enumerate(document.rows("governance", "budgets"))
        if isinstance(row, Mapping)
    }
    for kind, owner in (("teams", "team"), ("virtual_keys", "key")):
        for number, row in enumerate(document.rows("governance", kind)):
            if not isinstance(row, Mapping):
                continue
            path: Path = ("governance", kind, number)
            called = identifier(str(row.get("name") or row.get("id") or number))
            if owner == "team":
                draft.add("teams", called, {})
            _budget(document, draft, budgets.get(str(row.get("budget_id"))), f"{owner}/{called}", (*path, "budget_id"))
            if owner == "key":
                note = f"make it, and hand it out anew: freehold keys create {called}"
                document.say((*path, "value"), "not supported", note=note)
                document.say((*path, "id"), "approximated", note=note)
            document.say((*path, "name"), "exact" if owner == "team" else "approximated", f"{owner}/{called}")
    note = "limits belong to keys here: freehold keys create --requests-per-minute, --tokens-per-minute"
    document.say(("governance", "rate_limits"), "not supported", note=note)


def _budget(document: Document, draft: Draft, number: int | None, owner: str, said: Path) -> None:
    if number is None:
        return
    path: Path = ("governance", "budgets", number)
    limit, reset = document.get(*path, "max_limit"), document.get(*path, "reset_duration")
    period = _PERIODS.get(str(reset))
    if period is None or not isinstance(limit, int | float) or isinstance(limit, bool) or limit < 0:
        document.say(path, "not supported", note=f"no period of ours is {reset!r}: hour, day, week, month or total")
        document.say(said, "not supported", note="its budget did not come over")
        return
    draft.budgets.append({"owner": owner, "limit": f"{limit}", "period": period})
    document.say((*path, "id"), "exact", "budgets")
    document.say((*path, "max_limit"), "exact", "budgets.limit")
    exact = str(reset) in ("1h", "1d", "24h")
    note = "" if exact else "begins with the calendar's, in UTC"
    document.say((*path, "reset_duration"), "exact" if exact else "approximated", "budgets.period", note)
    document.say(said, "exact", "budgets.owner")
