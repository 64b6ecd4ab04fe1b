"""What is sent to a target: the caller's own body but for the model's name, or its translation. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from freehold.core.errors import MissingCredential, NotTranslatable
from freehold.gateway.breakpoints import TAKES, with_breakpoints
from freehold.gateway.errors import StateElsewhere
from freehold.gateway.messages import Request
from freehold.gateway.patches import check_patched
from freehold.gateway.ports import Dialect, Peek, Restore
from freehold.gateway.routing.table import Path, Stop
from freehold.gateway.tools import check_tool

CHATS = frozenset({"anthropic_messages", "bedrock_converse", "gemini", "openai_chat", "openai_responses"})
"""Dialects that targets speak and whose calls are a conversation: they belong to workflows, and become records."""
_TELLING = ("anthropic_messages", "openai_chat", "openai_responses")
_BESIDE = ("bedrock_converse", "gemini", "gemini_array")
"""Translated to and from those, not to each other."""
TRANSLATED = frozenset(
    (one, other)
    for one in (*_TELLING, *_BESIDE)
    for other in (*_TELLING, *_BESIDE)
    if one != other and (one in _TELLING or other in _TELLING)
) | {("gemini_array", "gemini")}
"""Pairs (caller's dialect, target's dialect) that are translated; every other pair is refused."""


class Outgoing:
    """One body for one target, and how its answer comes back."""

    def __init__(
        self, body: bytes, dialect: Dialect, decoded: bool, strip_usage: bool, dropped: tuple[str, ...] = ()
    ) -> None:
        self.body = body
        self.dialect = dialect
        self.decoded = decoded
        """True where the answer must pass through the neutral form."""
        self.strip_usage = strip_usage
        self.dropped = dropped
        self.restore: Restore | None = None
        self.path = ""
        """After the target's base path, where it is not the dialect's own."""


def spoken(dialect: str, stop: Stop) -> str:
    """The dialect to speak to this target for a caller of `dialect`; empty where none will do."""
    found = stop.speaks.get(dialect)
    if found is None:
        offered = stop.target.dialects
        translated = [one for one in offered if (dialect, one) in TRANSLATED]
        found = stop.speaks[dialect] = dialect if dialect in offered else translated[0] if translated else ""
    return found


def check_leaning(peek: Peek, path: Path) -> None:
    """What a call leans on must be where it goes, and seen by whoever guards it. Raises StateElsewhere."""
    if not peek.leans_on:
        return
    if path.watch is not None:
        said = f"'{peek.leans_on}' names content that the route's guard cannot look at"
        raise StateElsewhere(said, param=peek.leans_on)
    if path.joint or sum(len(tier) for tier in path.tiers) != 1:
        said = f"'{peek.leans_on}' leans on one target, and the route {path.name!r} may lead to others"
        raise StateElsewhere(said, param=peek.leans_on)


def prepare(
    dialect: Dialect, body: bytes, peek: Peek, stop: Stop, dialects: Mapping[str, Dialect], *, strict: bool
) -> Outgoing:
    """The body for `stop`. Raises MissingCredential, NotTranslatable; BadRequest for content that does not decode."""
    if stop.fault:
        raise MissingCredential(stop.fault)
    if peek.tool:
        check_tool(stop.target, peek.tool)
    name = stop.speaks.get(dialect.name) or spoken(dialect.name, stop)
    target = stop.target
    if name == dialect.name and not (stop.adapts and stop.driver.must_adapt(target, peek)):
        add = peek.stream and not peek.wants_usage and "no_stream_options" not in target.quirks
        sent = dialect.with_model(body, peek, target.model, add_usage=add)
        if stop.patches:
            check_patched(stop.patches, stop.name, dialect.name, sent)
        out = Outgoing(sent, dialect, False, add)
        if dialect.in_path is not None:
            out.path = dialect.in_path.upstream(target.model, peek)
        return out
    if not name:
        raise NotTranslatable(f"{target.name} does not speak {dialect.name}, and no translation leads there")
    if name != dialect.name and (peek.leans_on or peek.keeps):
        said = peek.leans_on or "store"
        raise StateElsewhere(
            f"{target.name} keeps nothing of {dialect.name}: '{said}' has no meaning there", param=said
        )
    request: Request = dialect.decode_request(body)
    request, restore = stop.driver.adapt(target, request)
    outer = dialects[name]
    if target.prompt_cache and name != dialect.name and name in TAKES:
        request = with_breakpoints(request, target.prompt_cache)
    # Usage is always asked for: the caller's encoder leaves it out where it was not wanted.
    sent, dropped = outer.encode_request(msgspec.structs.replace(request, wants_usage=True), target.model)
    if dropped and strict:
        raise NotTranslatable(
            f"{target.name} cannot carry {', '.join(dropped)}, and strict was asked for", param=dropped[0]
        )
    if stop.patches:
        check_patched(stop.patches, stop.name, outer.name, sent)
    out = Outgoing(sent, outer, True, False, dropped)
    out.restore = restore
    if outer.in_path is not None:
        out.path = outer.in_path.upstream(target.model, peek)
    return out
