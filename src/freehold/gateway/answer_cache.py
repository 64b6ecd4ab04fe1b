"""Answers kept in memory to be served again, and what makes two requests the same. Pure but for its own state.

Invariant: two requests share a key only where they are one JSON value (but for members that ask for nothing), in one
dialect, on one route, under one label, one policy and one table of routes, by callers who may share.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import msgspec

from freehold.ledger.meter import Usage

CACHED = (
    "anthropic_messages",
    "bedrock_converse",
    "gemini",
    "openai_chat",
    "openai_completions",
    "openai_embeddings",
    "openai_responses",
)
"""Dialects whose answers depend on the request alone."""
ASIDE = frozenset({"metadata", "prompt_cache_key", "safety_identifier", "user"})
"""Members of a request that say who asks or how it is filed, not what is asked."""
TELLING = (b"anthropic-beta", b"anthropic-version", b"openai-beta", b"x-freehold-confidence", b"x-freehold-strict")
"""Headers that change what comes back."""
ENTRY_BYTES = 1024
"""Counted for each answer beside its body."""
LARGEST = 8
"""No answer is kept that would fill more than this part of the memory."""


class KeptAnswer(msgspec.Struct, frozen=True):
    """A whole answer as its caller got it: a body, or the content of a stream."""

    body: bytes
    target: str
    usage: Usage
    cost: Decimal
    """What it cost, and another like it would."""
    dropped: tuple[str, ...]
    at: float
    until: float
    said: tuple[str, ...] = ()
    """Its texts, where a guard remembers labels by them."""

    @property
    def size(self) -> int:
        """Bytes it counts for."""
        return len(self.body) + ENTRY_BYTES + sum(map(len, self.said))


class AnswerCache:
    """Answers by key, least recently served first. Never holds more than `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[bytes, KeptAnswer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, now: float) -> KeptAnswer | None:
        """The answer that may be served at `now` (Unix seconds)."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found.until <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep it in the place of what was there; the least recently served make room."""
        size = answer.size
        if size * LARGEST > self.most_bytes:
            return
        if key in self._kept:
            self._drop(key)
        while self.bytes + size > self.most_bytes:
            self._drop(next(iter(self._kept)))
        self._kept[key] = answer
        self.bytes += size

    def sweep(self, now: float) -> None:
        """Forget what may not be served any more: content does not outlive its time in memory either."""
        for key in [key for key, one in self._kept.items() if one.until <= now]:
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        self.bytes -= self._kept.pop(key).size


def key_of(body: bytes, *about: object) -> bytes | None:
    """The key of a JSON request under what else must be equal; None where it cannot be read."""
    try:
        found = json.loads(body, object_pairs_hook=_object, parse_int=_number, parse_float=_number)
        if type(found) is not tuple:
            return None
        asked = tuple(one for one in found if one[0] not in ASIDE)
        return hashlib.sha256(repr((asked, about)).encode()).digest()
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Members by name. Equal names all stay, in their order: readers differ in which of them counts."""
    return tuple(sorted(pairs, key=_name))


def _name(pair: tuple[str, Any]) -> str:
    return pair[0]


def _number(text: str) -> bytes:
    """A number as it was written, of a type JSON has not: neither large ones nor long fractions fall together."""
    return text.encode()
