"""What stands in a request where no walk over its neutral form comes by: names of members, ids, options, odd fields.

A guard looks at it too. It cannot put anything in its place: what it would take out there refuses the call. Pure.
Invariant: each string of a body, and each long number, was visited by the walk, is found here, or is bytes in base64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from freehold.core.errors import BadRequest
from freehold.gateway.json_texts import is_long

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*', re.DOTALL)
_BASE64 = re.compile(r"(?:data:[a-z]+/[a-zA-Z0-9.+-]+;base64,)?[A-Za-z0-9+/=_-]*")
_ID = re.compile(r"(?:call|toolu|srvtoolu|fc|chatcmpl-tool)[_-][A-Za-z0-9_-]{1,64}")
"""Ids of calls as vendors and engines make them. Any other id is looked at."""
_WORDS = frozenset(
    [
        "arguments",
        "assistant",
        "auto",
        "cache_control",
        "content",
        "description",
        "developer",
        "enabled",
        "ephemeral",
        "function",
        "id",
        "image_url",
        "input",
        "input_schema",
        "json_object",
        "json_schema",
        "low",
        "high",
        "max_completion_tokens",
        "max_tokens",
        "medium",
        "messages",
        "metadata",
        "model",
        "name",
        "none",
        "number",
        "object",
        "parameters",
        "properties",
        "required",
        "response_format",
        "role",
        "schema",
        "stop",
        "stream",
        "stream_options",
        "include_usage",
        "strict",
        "string",
        "system",
        "temperature",
        "text",
        "tool",
        "tool_call_id",
        "tool_calls",
        "tool_choice",
        "tool_result",
        "tool_use",
        "tool_use_id",
        "tools",
        "top_p",
        "type",
        "url",
        "user",
    ]
)
"""Words of the dialects themselves, spared the look."""


def unplaced(body: bytes, visited: Collection[str], opaque: Collection[str], ids: Collection[str]) -> list[str]:
    """Texts of a body that are not among those `visited`, each once, in the order they stand.

    `opaque` are left out where they are base64 indeed, `ids` where they look like a vendor's. Raises BadRequest where
    an object names a member twice, since readers do not agree which one counts, or where it is nested too deeply.
    """
    text = body.decode("utf-8", "surrogateescape")
    try:
        json.loads(text, strict=False, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except RecursionError:
        raise BadRequest("the body is nested too deeply to be looked at") from None
    found = dict.fromkeys(one for one in _texts(text) if one not in visited and one not in _WORDS)
    return [one for one in found if not (_spared(one, opaque, _BASE64) or _spared(one, ids, _ID))]


def _spared(text: str, known: Collection[str], form: re.Pattern[str]) -> bool:
    return text in known and form.fullmatch(text) is not None


def _texts(text: str) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        token = found[0]
        if not token.startswith('"'):
            if is_long(token):
                yield token
        elif len(token) > 2:
            yield json.loads(token, strict=False) if "\\" in token else token[1:-1]


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        hint = "behind a guard a member may stand in an object once"
        raise BadRequest("an object of the body names a member twice", hint=hint)
