"""A Portkey config: one route whose steps are its targets, nested as deep as the strategies are.

Its fields are described at https://portkey.ai/docs/product/ai-gateway/configs (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freehold.settings.foreign import guards
from freehold.settings.foreign.document import Document, Path
from freehold.settings.foreign.draft import Draft, compact, credential
from freehold.settings.foreign.guards import Guard
from freehold.settings.foreign.vendors import elsewhere, known

DEEPEST = 8
_MOST_ATTEMPTS = 10
_MODES = ("fallback", "loadbalance", "single")


def recognised(root: Mapping[str, Any]) -> bool:
    """Is this one?"""
    return "provider" in root or "virtual_key" in root or (isinstance(root.get("targets"), list) and "strategy" in root)


def convert(document: Document, route: str) -> Draft:
    """The draft; the document knows afterwards what became of each field. `route` is what clients will name."""
    draft = Draft()
    steps = _steps(document, draft, (), 0)
    if steps:
        retries = document.get("retry", "attempts")
        content: dict[str, Any] = {"targets": compact([[_arm(*arm) for arm in step] for step in steps])}
        if isinstance(retries, int) and not isinstance(retries, bool):
            content["attempts"] = min(max(retries + 1, 1), _MOST_ATTEMPTS)
            note = "attempts for one call in all, on other targets too"
            document.say(("retry", "attempts"), "approximated", f"routes.{route}.attempts", note)
        guard = Guard(document, draft, f"{route}-guard")
        _guarded(document, guard)
        if name := guard.written():
            content["guard"] = name
        draft.add("routes", route, content)
    note = "what is tried again follows from the kind of failure"
    for field in ("retry", "strategy"):
        document.say((field, "on_status_codes"), "approximated", note=note)
    return draft


_HOOKS = (
    ("input_guardrails", ["in"]),
    ("before_request_hooks", ["in"]),
    ("output_guardrails", ["out"]),
    ("after_request_hooks", ["out"]),
)


def _guarded(document: Document, guard: Guard) -> None:
    """Its guardrails: in short, a table with the check's name as a key; at length, hooks with `checks`."""
    for place, directions in _HOOKS:
        for number, row in enumerate(document.rows(place)):
            path: Path = (place, number)
            if not isinstance(row, Mapping):
                document.say(path, "not supported", note="it is kept elsewhere: write its checks into [guard.NAME]")
                continue
            deny = "block" if row.get("deny") is True else "flag"
            for at, check in enumerate(document.rows(place, number, "checks")):
                if isinstance(check, Mapping):
                    where = (*path, "checks", at)
                    _check(document, guard, str(check.get("id")), ((*where, "parameters"), where), (deny, directions))
            for named in row:
                if "." in str(named):
                    where = (*path, str(named))
                    _check(document, guard, str(named), (where, where), (deny, directions))
            guard.say((*path, "deny"), "exact")


def _check(
    document: Document, guard: Guard, named: str, paths: tuple[Path, Path], leads_to: tuple[str, list[str]]
) -> None:
    given, path = paths
    action, directions = leads_to
    kind = named.lower().removeprefix("default.")
    if kind == "regexmatch" and document.get(*given, "not") is not True:
        guard.say((*given, "not"), "exact")
        guard.pattern(path, document.get(*given, "rule"), "", action, directions)
    elif kind == "contains" and document.get(*given, "operator") == "none":
        guard.words(path, document.rows(*given, "words"), action, directions)
    elif detector := guards.service(kind):
        redact = document.get(*given, "redact") is True
        kinds = [one for one in map(guards.kind_of, document.rows(*given, "categories")) if one]
        guard.rule(detector, "redact" if redact else action, directions, kinds)
        guard.say(path, "approximated", guards.JUDGED)
    else:
        guard.say(path, "not supported", "nothing here checks that")


def _arm(target: str, weight: float) -> dict[str, Any]:
    return {"target": target, "weight": weight}


def _steps(document: Document, draft: Draft, path: Path, depth: int) -> list[list[tuple[str, float]]]:
    """Steps in order; the members of one share its traffic."""
    if depth > DEEPEST:
        document.say(path, "not supported", note=f"nested deeper than {DEEPEST}")
        return []
    inner = [(*path, "targets", number) for number in range(len(document.rows(*path, "targets")))]
    if not inner:
        target = _target(document, draft, path)
        return [[(target, 1.0)]] if target else []
    mode = document.get(*path, "strategy", "mode", default="single")
    below = [(_steps(document, draft, one, depth + 1), _weight(document, one)) for one in inner]
    where = (*path, "strategy", "mode")
    if mode not in _MODES:
        document.say(
            where, "approximated", "routes.*.targets", "conditions are not kept: the targets are tried in order"
        )
    if mode == "loadbalance":
        shared = [(target, weight * own) for steps, weight in below for target, own in (steps[0] if steps else [])]
        document.say(where, "exact", "routes.*.targets")
        return [_merged(shared), *[step for steps, _ in below for step in steps[1:]]] if shared else []
    document.say(where, "exact", "routes.*.targets")
    return [step for steps, _ in below[: 1 if mode == "single" else None] for step in steps]


def _merged(arms: list[tuple[str, float]]) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for target, weight in arms:
        found[target] = found.get(target, 0.0) + weight
    return list(found.items())


def _weight(document: Document, path: Path) -> float:
    value = document.get(*path, "weight", default=1)
    document.say((*path, "weight"), "exact", "routes.*.targets")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 1.0


def _target(document: Document, draft: Draft, path: Path) -> str:
    """The target of a leaf; empty where it cannot be one."""
    maker = document.get(*path, "provider")
    base = document.get(*path, "custom_host")
    model = document.get(*path, "override_params", "model")
    row = known(maker) if isinstance(maker, str) else ""
    if not row and not isinstance(base, str):
        note = "its provider is kept elsewhere or has no OpenAI endpoint: write [providers.NAME] and [targets.NAME]"
        document.say(path, "not supported", note=note)
        return ""
    if not isinstance(model, str):
        document.say(path, "not supported", note="no override_params.model: a target here is one model, so name it")
        return ""
    host = elsewhere(row or "custom", base)
    content: dict[str, Any] = {"vendor": row} if row and not (row == "openai" and host) else {}
    where = f"providers.{row or 'custom'}"
    if isinstance(base, str):
        content["base_url"] = base
        document.say((*path, "custom_host"), "exact", f"{where}.base_url")
    key = credential(document, (*path, "api_key"), row, f"{where}.api_key", host)
    if key:
        content["api_key"] = key
    provider = draft.provider(str(maker or "custom"), content)
    note = "the key it stood for was not in the file: put it into the environment variable the provider names"
    document.say((*path, "virtual_key"), "approximated", f"{where}.api_key", note)
    name = draft.add("targets", model, {"provider": provider, "model": model}, again=(provider, model))
    document.say((*path, "provider"), "exact", f"providers.{provider}.vendor")
    document.say((*path, "override_params", "model"), "exact", f"targets.{name}.model")
    document.say((*path, "request_timeout"), "approximated", note="each target has its own limits of silence")
    return name
