"""JSON as models write it: bare, in a fence, or with words around it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?")
MISSING = object()
_STARTS = 8
"""Places tried in a text with words around its JSON, so that the work stays linear."""


def json_of(text: str) -> Any:
    """The JSON value that this text is or holds; `MISSING` where it holds none."""
    text = text.strip()
    for one in _forms(text):
        try:
            return msgspec.json.decode(one.encode())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            continue
    return MISSING


def _forms(text: str) -> list[str]:
    forms = [text]
    fences = list(_FENCE.finditer(text))
    if fences:
        end = fences[1].start() if len(fences) > 1 else len(text)
        forms.append(text[fences[0].end() : end].strip())
    last = max(text.rfind("}"), text.rfind("]"))
    begins = [found.start() for found in re.finditer(r"[{\[]", text)][:_STARTS]
    forms += [text[begin : last + 1] for begin in begins if begin < last]
    return forms


def field_of(text: str, name: str) -> Any:
    """One field of the object in a text, also where the object as a whole does not parse; `MISSING` else.

    A dot leads into nested objects: `total.amount`.
    """
    value = json_of(text)
    if isinstance(value, dict):
        for part in name.split("."):
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
        return value
    found = list(re.finditer(rf'"{re.escape(name)}"\s*:\s*', text))
    if not found:
        return MISSING
    rest = text[found[-1].end() : found[-1].end() + 400]
    if rest.startswith('"'):
        body = rest[1:]
        ends = [at for at in range(len(body)) if body[at] == '"' and (not at or body[at - 1] != "\\")]
        return body[: ends[0]] if ends else body
    return re.split(r"[,}\n]", rest, maxsplit=1)[0].strip() or MISSING
