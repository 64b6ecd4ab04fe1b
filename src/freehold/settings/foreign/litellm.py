"""LiteLLM's `config.yaml`: deployments become targets, groups of them routes, fallbacks the routes' further steps.

Its fields are described at https://docs.litellm.ai/docs/proxy/configs (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from freehold.settings.foreign.document import Document, Outcome, Path
from freehold.settings.foreign.draft import Draft, compact, credential
from freehold.settings.foreign.litellm_guards import guard_of
from freehold.settings.foreign.vendors import OWN_SERVERS, OWNED_NOTE, elsewhere, identifier, known

Groups = Mapping[str, Any]
"""Deployments by the name clients use."""
_PARAMETERS = "litellm_params"
_STRATEGIES = {
    "cost-based-routing": ("cheapest", True),
    "latency-based-routing": ("fastest", True),
    "least-busy": ("least_loaded", True),
    "simple-shuffle": ("weighted", True),
}
"""Ours, and whether it is the same; every other one becomes `weighted`."""
_MOST_ATTEMPTS = 10
_CACHE_SECONDS = 600.0
"""Kept where the file does not say how long."""
_PLACES = ("router_settings", "litellm_settings")


def recognised(root: Mapping[str, Any]) -> bool:
    """Is this one?"""
    return isinstance(root.get("model_list"), list)


def convert(document: Document, today: str) -> Draft:
    """The draft; the document knows afterwards what became of each field. `today` (ISO) dates the prices."""
    draft = Draft()
    groups: dict[str, list[tuple[str, float, float]]] = {}
    for number in range(len(document.rows("model_list"))):
        _deployment(document, draft, ("model_list", number), groups, today)
    after = _fallbacks(document, groups)
    shared = _shared(document)
    if guard := guard_of(document, draft):
        shared["guard"] = guard
    aliases = _aliases(document, groups)
    for group, members in groups.items():
        steps = _steps(members) + [step for other in after.get(group, ()) for step in _steps(groups[other])]
        extra = {"aliases": aliases[group]} if group in aliases else {}
        draft.add("routes", group, {"targets": compact(steps), **shared, **extra})
    _said(document)
    return draft


def _deployment(
    document: Document, draft: Draft, path: Path, groups: dict[str, list[tuple[str, float, float]]], today: str
) -> None:
    given = (*path, _PARAMETERS)
    group, model = document.get(*path, "model_name"), document.get(*given, "model")
    if not isinstance(group, str) or not isinstance(model, str) or "*" in group or "*" in model:
        document.say(path, "not supported", note="a pattern, or nothing: name each model as a target of its own")
        return
    prefix, _, rest = model.partition("/")
    maker = str(document.get(*given, "custom_llm_provider", default="")) or (prefix if rest else "openai")
    base = document.get(*given, "api_base") or document.get(*given, "base_url")
    row = known(maker)
    if maker not in OWN_SERVERS and not row and not (maker == "azure" and base):
        note = f"{maker} is spoken to in a way of its own; write a provider with base_url if it has an OpenAI endpoint"
        document.say(path, "not supported", note=note)
        return
    provider = _provider(document, draft, given, maker, row, base)
    name = rest if rest and maker == prefix else model
    target = draft.add(
        "targets",
        name,
        {"provider": provider, "model": name, **_limits(document, given), **_price(document, path, today)},
        again=(provider, name),
    )
    document.say((*path, "model_name"), "exact", f"routes.{identifier(group)}")
    document.say((*given, "model"), "exact", f"targets.{target}.model")
    document.say((*given, "custom_llm_provider"), "exact", f"providers.{provider}")
    weight, order = document.get(*given, "weight", default=1), document.get(*given, "order", default=0)
    document.say((*given, "weight"), "exact", f"routes.{identifier(group)}.targets")
    document.say((*given, "order"), "exact", f"routes.{identifier(group)}.targets")
    for limit in ("rpm", "tpm", "max_parallel_requests"):
        note = "limits belong to keys here: freehold keys create --requests-per-minute, --tokens-per-minute"
        document.say((*given, limit), "not supported", note=note)
    groups.setdefault(group, []).append((target, _number(weight, 1.0), _number(order, 0.0)))


def _provider(document: Document, draft: Draft, given: Path, maker: str, row: str, base: Any) -> str:
    content: dict[str, Any] = {}
    host = elsewhere(row or maker, base)
    if row and not (row == "openai" and host):  # a server that speaks OpenAI's protocol has none of OpenAI's terms
        content["vendor"] = row
    if isinstance(base, str) and base:
        azure = maker == "azure"
        content["base_url"] = _address(base, maker)
        note = "spoken to at Azure's v1 endpoint, whatever api_version said" if azure else ""
        where = f"providers.{identifier(maker)}.base_url"
        for field in ("api_base", "base_url"):
            document.say((*given, field), "approximated" if azure else "exact", where, note)
        document.say((*given, "api_version"), "approximated", where, note or "not needed")
        if azure:
            content["offering"] = "azure-openai"
    elif maker in OWN_SERVERS:
        content["base_url"] = "http://127.0.0.1:11434/v1" if maker.startswith("ollama") else "http://127.0.0.1:8000/v1"
    if maker in OWN_SERVERS:
        document.say((*given, "model"), "approximated", "targets.*.model", OWNED_NOTE)
    key = credential(document, (*given, "api_key"), row, f"providers.{identifier(maker)}.api_key", host)
    if key:
        content["api_key"] = key
    return draft.provider(maker, content)


def _address(base: str, maker: str) -> str:
    """Up to and with the base path that ours has."""
    trimmed = base.rstrip("/")
    if maker == "azure" and "/openai" not in trimmed:
        return trimmed + "/openai/v1"
    return trimmed + "/v1" if maker.startswith("ollama") and not trimmed.endswith("/v1") else base


def _limits(document: Document, given: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, ours in (("stream_timeout", "first_token_seconds"), ("timeout", "idle_seconds")):
        value = _number(document.get(*given, field), 0.0)
        if 0 < value <= 86400:
            found[ours] = value
            document.say(
                (*given, field), "approximated", f"targets.*.{ours}", "the longest silence, not the whole call"
            )
    return found


def _price(document: Document, path: Path, today: str) -> dict[str, Any]:
    """Dollars a token there are dollars a million here."""
    for place in ((*path, _PARAMETERS), (*path, "model_info")):
        fields = [(*place, f"{side}_cost_per_token") for side in ("input", "output")]
        try:
            sides = [Decimal(str(document.get(*one))) * 1_000_000 for one in fields]
        except InvalidOperation:
            continue
        for one in fields:
            document.say(one, "exact", "targets.*.price")
        plain = [f"{side.normalize():f}" for side in sides]
        return {"price": {"input": plain[0], "output": plain[1], "source": "LiteLLM's configuration", "as_of": today}}
    return {}


def _steps(members: list[tuple[str, float, float]]) -> list[Any]:
    """One step for each `order`, whose members share by weight."""
    steps = []
    for order in sorted({order for _, _, order in members}):
        merged: dict[str, float] = {}
        for target, weight, own in members:
            if own == order:
                merged[target] = merged.get(target, 0.0) + weight
        steps.append([{"target": target, "weight": weight} for target, weight in merged.items()])
    return steps


def _fallbacks(document: Document, groups: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in _PLACES:
        for number, row in enumerate(document.rows(place, "fallbacks")):
            for group, others in row.items() if isinstance(row, Mapping) else ():
                path = (place, "fallbacks", number, group)
                _follow(document, path, others, [group] if group in groups else [], groups, found)
        others = document.rows(place, "default_fallbacks")
        _follow(document, (place, "default_fallbacks"), others, list(groups), groups, found)
    return found


def _follow(
    document: Document,
    path: Path,
    others: Any,
    before: list[str],
    groups: Groups,
    found: dict[str, list[str]],
) -> None:
    for number, other in enumerate(others if isinstance(others, list) else []):
        if other not in groups or not before:
            document.say((*path, number), "not supported", note="no such group of deployments came over")
            continue
        for group in before:
            if other != group and other not in found.setdefault(group, []):
                found[group].append(other)
        document.say((*path, number), "exact", "routes.*.targets")


def _shared(document: Document) -> dict[str, Any]:
    """What holds for every route."""
    found: dict[str, Any] = {}
    for place in _PLACES:
        retries = document.get(place, "num_retries")
        if isinstance(retries, int) and not isinstance(retries, bool):
            found["attempts"] = min(max(retries + 1, 1), _MOST_ATTEMPTS)
            note = "attempts for one call in all, on other targets too; the retry budget bounds them"
            document.say((place, "num_retries"), "approximated", "routes.*.attempts", note)
    strategy = document.get("router_settings", "routing_strategy")
    if isinstance(strategy, str):
        ours, same = _STRATEGIES.get(strategy, ("weighted", False))
        found["choose"] = ours
        note = "" if same else "by weight; what rests or fails is left out of itself"
        document.say(
            ("router_settings", "routing_strategy"), "exact" if same else "approximated", "routes.*.choose", note
        )
    return found | _cache(document)


def _cache(document: Document) -> dict[str, Any]:
    """Answers of exactly the same request. What is alike only by meaning is not served for one another here."""
    place: Path = ("litellm_settings", "cache")
    given = document.table("litellm_settings", "cache_params")
    alike = "semantic" in str(given.get("type", ""))
    if document.get(*place) is not True or alike or given.get("mode") == "default_off":
        return {}
    note = "in the memory of each gateway process, shared within a team; answers to requests with tools are left out"
    document.say(place, "approximated", "routes.*.cache", note)
    seconds, ttl = _CACHE_SECONDS, given.get("ttl")
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0:
        seconds = float(ttl)
        document.say(("litellm_settings", "cache_params", "ttl"), "exact", "routes.*.cache.seconds")
    return {"cache": {"seconds": seconds}}


def _aliases(document: Document, groups: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for alias, meant in document.table("router_settings", "model_group_alias").items():
        path: Path = ("router_settings", "model_group_alias", str(alias))
        group = meant.get("model") if isinstance(meant, Mapping) else meant
        if group in groups and alias not in groups:
            found.setdefault(str(group), []).append(identifier(str(alias)))
            document.say(path, "exact", f"routes.{identifier(str(group))}.aliases")
        else:
            document.say(path, "not supported", note="no such group of deployments came over")
    return found


_NOTES: tuple[tuple[Path, Outcome, str], ...] = (
    (("litellm_settings", "drop_params"), "exact", "what a target cannot take is left out and named; strict refuses"),
    (
        ("general_settings", "master_key"),
        "not supported",
        "the operator's token stands in the home; keys are made here",
    ),
    (("general_settings", "database_url"), "not supported", "the home folder holds the database"),
    (("mcp_servers",), "not supported", "servers of tools are written as [mcp.NAME]: see docs/how-to/mcp.md"),
    (("environment_variables",), "not supported", "set them where Freehold is started"),
    (("litellm_settings", "max_budget"), "not supported", "budgets belong to a key, a team or a route: [[budgets]]"),
    (("litellm_settings", "budget_duration"), "not supported", "see max_budget"),
    (("router_settings", "allowed_fails"), "approximated", "a circuit breaker rests a failing target by itself"),
    (("router_settings", "cooldown_time"), "approximated", "a circuit breaker rests a failing target by itself"),
    (("litellm_settings", "allowed_fails"), "approximated", "a circuit breaker rests a failing target by itself"),
    (("litellm_settings", "cooldown_time"), "approximated", "a circuit breaker rests a failing target by itself"),
    (("litellm_settings", "request_timeout"), "approximated", "each target has its own limits of silence"),
    (("router_settings", "timeout"), "approximated", "each target has its own limits of silence"),
    (("litellm_settings", "success_callback"), "not supported", "the ledger keeps every call: freehold calls, usage"),
    (("litellm_settings", "failure_callback"), "not supported", "the ledger keeps every call: freehold calls, usage"),
    (("litellm_settings", "callbacks"), "not supported", "the ledger keeps every call: freehold calls, usage"),
)


def _said(document: Document) -> None:
    for path, outcome, note in _NOTES:
        document.say(path, outcome, note=note)
    for number in range(len(document.rows("model_list"))):
        asked = ("model_list", number, _PARAMETERS, "guardrails")
        document.say(asked, "not supported", note="a route names one profile in guard: those of the file are [guard.*]")
        document.say(("model_list", number, "model_info"), "not supported", note="facts that calls do not need")


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
