"""What OpenAI's responses count, and the fields a response has besides what was said."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.openai_responses_parts import ECHO, NAME
from freehold.gateway.json_fields import NULL
from freehold.gateway.json_read import Count, from_target
from freehold.gateway.messages import Extra
from freehold.ledger.meter import Usage

_any = msgspec.json.Decoder(Any)
_members = msgspec.json.Decoder(dict[str, Raw])

DEFAULTS: dict[str, Any] = {
    "background": False,
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}
"""Strict clients demand these fields, and refuse null in most (Open Responses' schema); values are its defaults."""

KNOWN = frozenset({"id", "object", "created_at", "status", "error", "incomplete_details", "model", "output", "usage"})
"""Fields of a response that the neutral form holds."""
ECHOED = frozenset(DEFAULTS) | {"user", "prompt", "conversation", "prompt_cache_retention"}


class InputDetails(msgspec.Struct):
    """`input_tokens_details`: parts of the input's count."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """`output_tokens_details`: parts of the output's count."""

    reasoning_tokens: Count | None = None


class Counts(msgspec.Struct):
    """`usage` of a response."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_counts = msgspec.json.Decoder(Counts)
_KNOWN_COUNTS: dict[str, frozenset[str]] = {
    "input_tokens": frozenset(),
    "output_tokens": frozenset(),
    "total_tokens": frozenset(),
    "input_tokens_details": frozenset(InputDetails.__struct_fields__),
    "output_tokens_details": frozenset(OutputDetails.__struct_fields__),
}


def usage_of(counts: Counts) -> Usage:
    """Totals that include their parts."""
    inside = counts.input_tokens_details or InputDetails()
    made = counts.output_tokens_details or OutputDetails()
    cached = min(inside.cached_tokens or 0, counts.input_tokens)
    return Usage(
        input=counts.input_tokens,
        output=counts.output_tokens,
        cached=cached,
        cache_write=min(inside.cache_write_tokens or 0, counts.input_tokens - cached),
        reasoning=min(made.reasoning_tokens or 0, counts.output_tokens),
    )


def told_usage(raw: Raw) -> tuple[Usage, Extra]:
    """Usage, and the counts that the neutral form does not hold. Raises UpstreamLied."""
    more: list[tuple[str, str, Raw]] = []
    usage = usage_of(from_target(_counts, bytes(raw)))
    for name, value in from_target(_members, bytes(raw)).items():
        known = _KNOWN_COUNTS.get(name)
        if known is None or (known and not known.issuperset(_names_of(value))):
            more.append((NAME, f"usage.{name}", value))
    return usage, tuple(one for one in more if one[2] != NULL)


def _names_of(value: Raw) -> frozenset[str]:
    if not bytes(value).startswith(b"{"):
        return frozenset()
    members = from_target(_members, bytes(value))
    return frozenset(members)


def counts_of(usage: Usage, more: dict[str, Raw]) -> dict[str, Any]:
    """`usage` as the official API writes it, with the counts only this dialect knows put back."""
    found: dict[str, Any] = {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
    for name, value in more.items():
        known = found.get(name)
        found[name] = {**known, **_members.decode(value)} if isinstance(known, dict) else value
    return found


def kept(members: dict[str, Raw]) -> Extra:
    """The fields of a response that the neutral form does not hold; what repeats the request is called so."""
    return tuple(
        (NAME, (ECHO if name in ECHOED else "") + name, value)
        for name, value in members.items()
        if name not in KNOWN and value != NULL and not _goes_without_saying(name, value)
    )


def _goes_without_saying(name: str, value: Raw) -> bool:
    return name in DEFAULTS and from_target(_any, bytes(value)) == DEFAULTS[name]


def head_of(extra: Extra) -> dict[str, Any]:
    """The fields of a response besides what was said and counted, in the order of the defaults."""
    mine = {name.removeprefix(ECHO): value for owner, name, value in extra if owner == NAME}
    return {**DEFAULTS, **{name: value for name, value in mine.items() if not name.startswith("usage.")}}
