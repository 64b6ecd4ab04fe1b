"""A whole Converse answer, both ways. It has no id and names no model: the vendor's say so in headers and paths."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from freehold.core.errors import UpstreamLied
from freehold.gateway.dialects import bedrock_wire as wire
from freehold.gateway.dialects.bedrock_blocks import input_of, is_base64, plain, reasoning_block, text_block
from freehold.gateway.dialects.bedrock_parts import NAME, block_of, is_mine, marked, union_of
from freehold.gateway.json_fields import OWN, Fields, alien, build, encoded, foreign, named, of_target, own, under
from freehold.gateway.messages import Answer, Choice, Extra, Opaque, Part, Redacted, Refusal, Text, Thinking, ToolCall

METRICS = OWN + "metrics"
"""How long the vendor says it took: of no use elsewhere."""
STARTED = "start."
"""Before the kind of a block that only a stream tells."""

_FIELDS = "additionalModelResponseFields"
_NO_METRICS = {"latencyMs": 0}
_NESTED = ("usage.", OWN)


def answer_of(body: bytes) -> Answer:
    """Raises UpstreamLied."""
    top = of_target(body)
    output = top.inner("output")
    message = None if output is None else output.inner("message")
    if output is None or message is None:
        raise UpstreamLied("the target's answer holds no message")
    if message.text("role", "assistant") != "assistant":
        message.wrong("expected assistant", "role")
    parts = [_part(raw, one) for raw, one in message.objects("content")]
    stop, extra = wire.stop_of(top.text("stopReason"))
    fields = top.raw(_FIELDS)
    usage = top.raw("usage")
    counts, more = (None, ()) if usage is None else wire.told_usage(usage)
    metrics = top.raw("metrics")
    timed: Extra = () if metrics is None else ((NAME, METRICS, metrics),)
    said: Extra = () if fields is None else ((NAME, _FIELDS, fields),)
    inner = (*message.rest(NAME, "message."), *output.rest(NAME, "output."))
    return Answer(
        id="",
        model="",
        choices=(Choice(parts=tuple(parts), stop=stop, extra=(*extra, *said)),),
        usage=counts,
        extra=(*more, *timed, *inner, *top.rest(NAME)),
    )


def body_of(answer: Answer) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped. Raises UpstreamLied where a call's arguments are no object."""
    dropped = foreign(answer.extra, NAME)
    if len(answer.choices) != 1:
        dropped.append("choices")
    choice = answer.choices[0] if answer.choices else Choice()
    dropped += [name.removeprefix("message.") for name in foreign(choice.extra, NAME)]
    if choice.logprobs is not None:
        dropped.append("logprobs")
    if choice.stop_sequence:
        dropped.append("stop_sequence")
    found = build({}, answer.extra, NAME, (*_NESTED, "message.", "output."))
    message = {"role": "assistant", "content": _content(choice, dropped), **under(answer.extra, NAME, "message.")}
    pairs: dict[str, Any] = {
        "output": {"message": message, **under(answer.extra, NAME, "output.")},
        "stopReason": wire.reason_of(choice.stop, choice.parts, choice.extra, dropped),
        **usage_and_metrics(answer, dropped),
        **fields_of(choice.extra),
        **found,
    }
    return encoded(pairs), named(dropped)


def usage_and_metrics(answer: Answer, dropped: list[str]) -> dict[str, Any]:
    """What strict clients demand, zeros where nobody said."""
    if answer.usage is None:
        counts: dict[str, Any] = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    else:
        counts = wire.counts_of(answer.usage, dropped)
    usage = {**counts, **under(answer.extra, NAME, "usage.")}
    metrics = own(answer.extra, NAME, METRICS)
    return {"usage": usage, "metrics": _NO_METRICS if metrics is None else metrics}


def fields_of(extra: Extra) -> dict[str, Raw]:
    """Fields of the model's own, told with the stop."""
    held = own(extra, NAME, _FIELDS)
    return {} if held is None else {_FIELDS: held}


def _part(raw: Raw, one: Fields) -> Part:
    """A block. Texts of an answer are this dialect's own: in a stream their sources come last, when they have begun."""
    kind = union_of(raw)
    if kind not in {"text", "toolUse", "reasoningContent", "citationsContent"}:
        return Opaque(NAME, kind or "nothing", raw)
    part = block_of(raw, one, kind)
    if isinstance(part, Text) and not is_mine(part.extra):
        return Text(part.text, part.cache, part.citations, marked(part.extra))
    return part


def _content(choice: Choice, dropped: list[str]) -> list[Any]:
    found: list[Any] = []
    for part in choice.parts:
        match part:
            case Text():
                dropped += [f"content.{name}" for name in foreign(part.extra, NAME)]
                found.append(text_block(part, dropped))
            case Refusal():
                found.append({"text": part.text})
            case Thinking():
                dropped += [f"thinking.{name}" for name in foreign(part.extra, NAME)]
                signature = "" if alien(part.extra, NAME) else part.signature
                dropped += ["thinking.signature"] if signature != part.signature else []
                found.append(reasoning_block(part.text, signature))
            case Redacted() if is_base64(part.data):
                found.append({"reasoningContent": {"redactedContent": part.data}})
            case ToolCall():
                dropped += [f"tool_calls.{name}" for name in foreign(part.extra, NAME)]
                dropped += ["tool_calls.signature"] if part.signature else []
                pairs = {"toolUseId": part.id, "name": part.name, "input": _input(part, choice.stop, dropped)}
                found.append({"toolUse": plain(pairs, part.extra)})
            case Opaque() if part.dialect == NAME and not part.kind.startswith(STARTED):
                found.append(part.raw)
            case _:
                dropped.append(f"content.{kind_of(part)}")
    return found


def kind_of(part: Part) -> str:
    """What a part is called where it is dropped."""
    return part.kind if isinstance(part, Opaque) else type(part).__name__.lower()


def _input(part: ToolCall, stop: str, dropped: list[str]) -> Raw:
    """Arguments cut by the output limit are no object, and cannot stand in this dialect."""
    found = input_of(part.arguments)
    if found is not None:
        return found
    if stop != "length":
        raise UpstreamLied("the target's tool call has arguments that are not a JSON object")
    dropped.append("tool_calls.arguments")
    return Raw(b"{}")
