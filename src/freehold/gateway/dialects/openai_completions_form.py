"""Text completions, requests and whole answers, as the neutral form has them: each prompt is a turn of the user.

Only for looking at their texts: nothing is translated, since a model that goes on with a text is not one that answers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import NotTranslatable, UpstreamLied
from freehold.gateway.dialects import openai_wire as wire
from freehold.gateway.json_fields import NULL, Fields, build, encoded, foreign, named, of_caller, of_target, own
from freehold.gateway.json_read import BROKEN, from_target
from freehold.gateway.messages import Answer, Choice, Extra, Opaque, Request, Text, Turn

NAME = "openai_completions"
TOKENS = "tokens"
"""Kind of a prompt that is sent as numbers of tokens."""
SUFFIX = "suffix"
USAGE = "usage.all"
"""The usage as it was told: nothing of it is lost where the answer is written again."""
_STOPS = {"stop": "end", "length": "length", "content_filter": "content_filter"}
_FINISH = {word: reason for reason, word in _STOPS.items()}
_counts = msgspec.json.Decoder(wire.Counts)
_texts = msgspec.json.Decoder(list[str])
_text = msgspec.json.Decoder(str)


def request_of(body: bytes) -> Request:
    """Raises MalformedJson, or BadRequest with the path of the field at fault."""
    top = of_caller(body)
    turns, extra = _turns(top)
    suffix = top.text(SUFFIX)
    if suffix:
        turns = (*turns, Turn("user", (Text(suffix),), extra=((NAME, SUFFIX, Raw(b"true")),)))
    return Request(
        model=top.text("model", None),
        turns=turns,
        max_output=top.integer("max_tokens"),
        stop=top.text_or_texts("stop"),
        user=top.text("user"),
        stream=top.flag("stream") is True,
        extra=(*extra, *top.rest(NAME)),
    )


def body_of(request: Request, model: str) -> tuple[bytes, tuple[str, ...]]:
    """The body for a target. Raises NotTranslatable for a request that was none of text completions."""
    if own(request.extra, NAME, "own.prompts") is None:
        raise NotTranslatable(f"a conversation has no form in {NAME}", param="model")
    said: list[Any] = []
    suffix = None
    for turn in request.turns:
        if turn.role != "user":
            raise NotTranslatable(f"{NAME} has no place for what is said by {turn.role}", param="prompt")
        for part in turn.parts:
            if isinstance(part, Opaque):
                said.append(part.raw)
            elif isinstance(part, Text) and own(turn.extra, NAME, SUFFIX) is not None:
                suffix = part.text
            elif isinstance(part, Text):
                said.append(part.text)
    listed = own(request.extra, NAME, "own.prompts") == Raw(b'"list"')
    pairs: dict[str, Any] = {
        "model": model,
        "prompt": said if listed or len(said) != 1 else said[0],
        "suffix": suffix,
        "max_tokens": request.max_output,
        "stop": request.stop or None,
        "user": request.user or None,
        "stream": request.stream or None,
    }
    extra = tuple(one for one in request.extra if one[1] != "own.prompts")
    return encoded(build(pairs, extra, NAME)), named(foreign(extra, NAME))


def answer_of(body: bytes) -> Answer:
    """Raises UpstreamLied."""
    top = of_target(body)
    if top.raw("error") is not None:
        raise UpstreamLied("the target answered 200 with an error inside")
    top.raw("object")
    usage = top.raw("usage")
    choices = top.objects("choices")
    if not choices:
        top.wrong("expected at least one choice", "choices")
    return Answer(
        id=top.text("id"),
        model=top.text("model"),
        created=top.integer("created") or 0,
        choices=tuple(_choice(at, one) for at, (_, one) in enumerate(choices)),
        usage=None if usage is None else wire.usage_of(from_target(_counts, bytes(usage))),
        extra=(*(() if usage is None else ((NAME, USAGE, usage),)), *top.rest(NAME)),
    )


def answer_body(answer: Answer, created: int) -> tuple[bytes, tuple[str, ...]]:
    """The body for a caller, and what was dropped."""
    dropped = foreign(answer.extra, NAME)
    choices = []
    for one in answer.choices:
        dropped += foreign(one.extra, NAME)
        text = "".join(part.text for part in one.parts if isinstance(part, Text))
        pairs = {"text": text, "index": one.index, "finish_reason": finish_of(one.stop, one.extra)}
        choices.append({**build(pairs, one.extra, NAME), "logprobs": one.logprobs})
    usage: Any = own(answer.extra, NAME, USAGE)
    if usage is None and answer.usage is not None:
        usage = wire.counts_of(answer.usage)
    pairs = {
        "id": answer.id,
        "object": "text_completion",
        "created": answer.created or created,
        "model": answer.model,
        "choices": choices,
        "usage": usage,
    }
    extra = tuple(one for one in answer.extra if one[1] != USAGE)
    return encoded(build(pairs, extra, NAME)), named(dropped)


def stop_of(reason: str | None) -> tuple[str, Extra]:
    """The neutral word, and the target's own where it says more."""
    found = _STOPS.get(reason or "stop")
    if found is not None:
        return found, ()
    return "end", ((NAME, "finish_reason", Raw(msgspec.json.encode(reason))),)


def finish_of(stop: str, extra: Extra) -> Any:
    """The reason as the caller's dialect has it."""
    return own(extra, NAME, "finish_reason") or _FINISH.get(stop, "stop")


def _turns(top: Fields) -> tuple[tuple[Turn, ...], Extra]:
    """The prompts: a text, texts, numbers of tokens, or lists of those."""
    raw = top.raw("prompt")
    if raw is None:
        return (), ((NAME, "own.prompts", Raw(b'"list"')), (NAME, "prompt", NULL))
    try:
        if bytes(raw).startswith(b'"'):
            return (Turn("user", (Text(_text.decode(raw)),)),), ((NAME, "own.prompts", Raw(b'"one"')),)
        texts = _texts.decode(raw)
    except BROKEN:
        part = Opaque(NAME, TOKENS, raw)
        return (Turn("user", (part,)),), ((NAME, "own.prompts", Raw(b'"one"')),)
    return tuple(Turn("user", (Text(one),)) for one in texts), ((NAME, "own.prompts", Raw(b'"list"')),)


def _choice(at: int, one: Fields) -> Choice:
    text = one.text("text")
    stop, extra = stop_of(one.text("finish_reason") or None)
    index = one.integer("index")
    return Choice(
        index=at if index is None else index,
        parts=(Text(text),),
        stop=stop,
        logprobs=one.raw("logprobs"),
        extra=(*extra, *one.rest(NAME)),
    )
