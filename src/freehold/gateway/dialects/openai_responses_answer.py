"""A whole response into the neutral form, and back: written as its stream tells it, so that both say the same."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import openai_responses_wire as wire
from freehold.gateway.dialects.openai_responses_parts import (
    NAME,
    assistant_parts,
    call_of,
    item_of,
    reasoning_parts,
)
from freehold.gateway.json_fields import Fields, of_target
from freehold.gateway.json_read import from_target
from freehold.gateway.json_splice import joined
from freehold.gateway.messages import Answer, Choice, Extra, Part, Text, ToolCall

_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])

INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


def answer_of(body: bytes) -> Answer:
    """Raises UpstreamLied."""
    top = of_target(body)
    if top.raw("error") is not None:
        raise UpstreamLied("the target answered 200 with an error inside")
    usage = top.raw("usage")
    counts, more = (None, ()) if usage is None else wire.told_usage(usage)
    parts: list[Part] = []
    told: list[Raw] = []
    output = top.raw("output")
    if output is None:
        top.wrong("is required", "output")
    top.put_back("output", output)
    for raw, one in top.objects("output"):
        parts += _parts(raw, one, told)
    stop, extra = stop_of(top, parts)
    return Answer(
        id=top.text("id"),
        model=top.text("model"),
        created=int(top.number("created_at") or 0),
        choices=(Choice(parts=tuple(parts), stop=stop, logprobs=logprobs_of(told), extra=extra),),
        usage=counts,
        extra=(*more, *wire.kept(from_target(_members, body))),
    )


def stop_of(top: Fields, parts: list[Part]) -> tuple[str, Extra]:
    """The neutral word; a reason we do not know is kept. Raises UpstreamLied for a response that is not over."""
    status = top.text("status", "completed")
    if status == "completed":
        return "tool_calls" if any(isinstance(one, ToolCall) for one in parts) else "end", ()
    if status != "incomplete":
        _unfinished(status)
    details = top.inner("incomplete_details")
    reason = "" if details is None else details.text("reason")
    stop = INCOMPLETE.get(reason)
    if stop is not None:
        return stop, ()
    return "length", ((NAME, "incomplete_reason", Raw(msgspec.json.encode(reason))),) if reason else ()


def _unfinished(status: str) -> NoReturn:
    word = status if status in {"cancelled", "failed", "in_progress", "queued"} else "of another state"
    raise UpstreamLied(f"the target's response is not whole: it is {word}")


def _parts(raw: Raw, one: Fields, told: list[Raw]) -> list[Part]:
    """The parts of an item; log probabilities are gathered in `told`."""
    kind = one.text("type", None)
    if kind not in {"message", "function_call", "reasoning"}:
        return [item_of(kind, raw)]
    one.raw("status")
    if kind == "function_call":
        return [call_of(one)]
    if kind == "reasoning":
        return reasoning_parts(one)
    if one.text("role", "assistant") != "assistant":
        one.wrong("expected assistant", "role")
    return [_without_logprobs(part, told) for part in assistant_parts(one)]


def _without_logprobs(part: Part, told: list[Raw]) -> Part:
    if not isinstance(part, Text):
        return part
    told += [value for owner, name, value in part.extra if owner == NAME and name == "logprobs"]
    return msgspec.structs.replace(part, extra=tuple(one for one in part.extra if one[1] != "logprobs"))


def logprobs_of(told: list[Raw]) -> Raw | None:
    """Lists of tokens as the neutral form holds them. Raises UpstreamLied."""
    if not told:
        return None
    tokens = [token for one in told for token in from_target(_items, bytes(one))]
    return Raw(joined([("content", msgspec.json.encode(tokens))]))
