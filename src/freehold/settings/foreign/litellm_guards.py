"""LiteLLM's guardrails: those that are on for everybody become the guard of every route, the others profiles that a
route may name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freehold.settings.foreign import guards
from freehold.settings.foreign.document import Document, Path
from freehold.settings.foreign.draft import Draft
from freehold.settings.foreign.guards import Guard

ALL = "imported"
"""Name of the profile of what is on for everybody."""
_MODES = {"pre_call": ["in"], "during_call": ["in"], "post_call": ["out"], "logging_only": ["in", "out"]}
_ASKED = "off by default there, so callers asked for it by name; here a route names it in guard"


def guard_of(document: Document, draft: Draft) -> str:
    """Write the profiles; the name of the one that every route gets, empty for none."""
    everybody = Guard(document, draft, ALL)
    for number, row in enumerate(document.rows("guardrails")):
        if isinstance(row, Mapping):
            _one(document, draft, ("guardrails", number), everybody)
    for number, named in enumerate(document.rows("litellm_settings", "callbacks")):
        path: Path = ("litellm_settings", "callbacks", number)
        if isinstance(named, str) and guards.service(named):
            _service(everybody, path, named, ["in"], "")
    return everybody.written()


def _one(document: Document, draft: Draft, path: Path, everybody: Guard) -> None:
    given = (*path, "litellm_params")
    maker = str(document.get(*given, "guardrail", default=""))
    on = document.get(*given, "default_on") is True
    name = str(document.get(*path, "guardrail_name") or maker)
    guard = everybody if on else Guard(document, draft, name)
    directions = _directions(document.get(*given, "mode"))
    flagged = "flag" if document.get(*given, "mode") == "logging_only" else ""
    if maker == "litellm_content_filter":
        _filter(document, guard, given, directions)
    elif document.table(*given, "pii_entities_config"):
        for entity, wish in document.table(*given, "pii_entities_config").items():
            _entity(guard, (*given, "pii_entities_config", str(entity)), entity, wish, directions)
    elif not _service(guard, (*given, "guardrail"), maker, directions, flagged):
        document.say(path, "not supported", note=f"nothing here looks for what {maker or 'it'} looks for")
        return
    guard.say((*given, "guardrail"), "approximated", guards.JUDGED)
    guard.say((*given, "mode"), "exact" if flagged == "" else "approximated")
    guard.say((*given, "default_on"), "exact")
    guard.say((*path, "guardrail_name"), "exact" if on else "approximated", "" if on else _ASKED)
    for secret in ("api_key", "api_base"):
        document.say((*given, secret), "not supported", note="no other service is asked here")
    if not on:
        guard.written()


def _directions(mode: Any) -> list[str]:
    modes = mode if isinstance(mode, list) else [mode]
    found = {direction for one in modes for direction in _MODES.get(str(one), ["in"])}
    return sorted(found)


def _entity(guard: Guard, path: Path, entity: Any, wish: Any, directions: list[str]) -> None:
    kind = guards.kind_of(entity)
    if not kind:
        guard.say(path, "not supported", f"nothing here looks for {str(entity)[:60]}")
        return
    guard.rule("pii", guards.action_of(wish, "redact"), directions, [kind])
    guard.say(path, "approximated", guards.JUDGED)


def _service(guard: Guard, path: Path, maker: str, directions: list[str], wish: str) -> bool:
    detector = guards.service(maker)
    if not detector:
        return False
    guard.rule(detector, wish or ("redact" if detector in ("pii", "secrets") else "block"), directions)
    guard.say(path, "approximated", guards.JUDGED)
    return True


def _filter(document: Document, guard: Guard, given: Path, directions: list[str]) -> None:
    """Patterns, by name or their own, and words."""
    for number, row in enumerate(document.rows(*given, "patterns")):
        path = (*given, "patterns", number)
        wish = guards.action_of(row.get("action") if isinstance(row, Mapping) else "", "block")
        if document.get(*path, "pattern_type") == "prebuilt":
            named = document.get(*path, "pattern_name")
            kind, detector = guards.kind_of(named), "pii"
            if kind:
                guard.rule(detector, wish, directions, [kind])
                guard.say(path, "approximated", guards.JUDGED)
            else:
                guard.say(path, "not supported", f"nothing here looks for {str(named)[:60]}")
        else:
            guard.pattern(path, document.get(*path, "pattern"), "", wish, directions)
    for number, row in enumerate(document.rows(*given, "blocked_words")):
        if isinstance(row, Mapping) and row.get("keyword"):
            wish = guards.action_of(row.get("action"), "block")
            guard.words((*given, "blocked_words", number), [row["keyword"]], wish, directions)
