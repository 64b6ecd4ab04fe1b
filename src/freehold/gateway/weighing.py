"""What a composite weighs of a member's answer: what graders see of it, and the confidence it states. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from freehold.gateway.json_splice import joined, members
from freehold.gateway.messages import Answer, Choice, Refusal, Text, ToolCall
from freehold.grading import types as grading

FIELD = "freehold"
"""Member of a `chat.completion`'s choice in which an engine of ours speaks of its own answer."""
_MARK = b'"freehold"'
_FINISH = (
    ("content_filter", "content_filter"),
    ("length", "length"),
    ("pause", "length"),
    ("refusal", "content_filter"),
    ("tool_calls", "tool_calls"),
)
"""OpenAI's words for why an answer stopped, where that is not `stop`."""


class _Stated(msgspec.Struct):
    confidence: float | None = None


class _Choice(msgspec.Struct):
    freehold: _Stated | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


_answer = msgspec.json.Decoder(_Answer)
_list = msgspec.json.Decoder(list[Raw])


def graded(answer: Answer) -> grading.Answer:
    """An answer as graders see it: its first choice."""
    parts = answer.choices[0].parts if answer.choices else ()
    stop = answer.choices[0].stop if answer.choices else "end"
    return grading.Answer(
        text="".join(part.text for part in parts if isinstance(part, Text | Refusal)),
        tool_calls=tuple(grading.ToolCall(one.name, one.arguments) for one in parts if isinstance(one, ToolCall)),
        refusal=stop == "refusal" or any(isinstance(part, Refusal) for part in parts),
        finish=dict(_FINISH).get(stop, "stop"),
    )


def confidence_of(body: bytes) -> float | None:
    """What a `chat.completion` states of its own being right, in [0, 1]; None where it says nothing of use."""
    try:
        choices = _answer.decode(body).choices
    except msgspec.MsgspecError:
        return None
    stated = choices[0].freehold if len(choices) == 1 else None
    found = None if stated is None else stated.confidence
    return found if found is not None and 0.0 <= found <= 1.0 else None


def without_confidence(answer: Answer) -> Answer:
    """The same answer without what was stated for routing alone."""
    if not any(name == FIELD for choice in answer.choices for _, name, _ in choice.extra):
        return answer
    return msgspec.structs.replace(answer, choices=tuple(_plain(choice) for choice in answer.choices))


def without_confidence_field(body: bytes) -> bytes:
    """The same of a `chat.completion`'s bytes; what holds no such field stays byte for byte."""
    if _MARK not in body:
        return body
    top = members(body)
    choices = [members(one) for one in _list.decode(top["choices"])] if "choices" in top else []
    if not any(FIELD in one for one in choices):
        return body
    kept = [joined((name, value) for name, value in one.items() if name != FIELD) for one in choices]
    top["choices"] = Raw(b"[" + b",".join(kept) + b"]")
    return joined(top.items())


def _plain(choice: Choice) -> Choice:
    extra = tuple(one for one in choice.extra if one[1] != FIELD)
    return msgspec.structs.replace(choice, extra=extra)
