"""Lessons as the engine's model will meet them: the messages, template and tokens of a call through the gateway.

What trains here and what is asked there must not differ by a token, so tools pass through the gateway's own driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from freehold.core.label import UNKNOWN
from freehold.core.permit import Origin
from freehold.gateway.dialects.openai_chat_decode import request_of
from freehold.gateway.dialects.openai_chat_encode import body_of
from freehold.gateway.providers.llama_cpp import NO_TOOLS, LlamaCppDriver
from freehold.grading.types import Answer
from freehold.moves.training.job import Lesson
from freehold.policy.targets import Target

END = "<|im_end|>"
"""Ends a turn in ChatML; what the engine stops at."""

_ROLES = {"developer": "system"}
"""What the engine makes of roles its templates do not know."""

Message = dict[str, str]
Encode = Callable[[str], list[int]]

TARGET = Target(
    name="owned",
    provider="owned",
    driver="llama_cpp",
    dialects=("openai_chat",),
    model="owned",
    origin=Origin("http", "127.0.0.1", 1),
    owned=True,
    clearance=UNKNOWN,
    quirks=(NO_TOOLS,),
)


class Example(msgspec.Struct, frozen=True):
    """Token ids of one lesson; those from `start` on are the answer, which alone is learned."""

    ids: tuple[int, ...]
    start: int


class _Piece(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Piece] | None = None


class _Body(msgspec.Struct):
    messages: list[_Message]
    tools: list[Any] = []


def messages_of(request: bytes) -> tuple[list[Message], bool]:
    """The messages the engine is sent, and whether it answers in the form that stands for tool calls.

    Raises BadRequest where a request is none, NotTranslatable where the engine could not be asked it.
    """
    neutral = request_of(request)
    adapted, restore = LlamaCppDriver().adapt(TARGET, neutral)
    if adapted is not neutral:
        request, _ = body_of(adapted, "owned")
    body = msgspec.json.decode(request, type=_Body)
    messages = [{"role": _ROLES.get(one.role, one.role), "content": _text(one)} for one in body.messages]
    return messages, restore is not None


def answer_of(answer: Answer, *, as_tools: bool) -> str:
    """What the engine must write for `answer` to come out of the gateway."""
    if not as_tools:
        return answer.text
    if not answer.tool_calls:
        return f'{{"answer": {msgspec.json.encode(answer.text).decode()}}}'
    calls = [
        f'{{"name": {msgspec.json.encode(one.name).decode()}, "arguments": {one.arguments or "{}"}}}'
        for one in answer.tool_calls
    ]
    return f'{{"tool_calls": [{", ".join(calls)}]}}'


def example_of(lesson: Lesson, template: Callable[[list[Message]], str], encode: Encode) -> Example:
    """One lesson in tokens. `template` writes the prompt up to where the answer begins."""
    messages, as_tools = messages_of(lesson.request.encode())
    prompt = encode(template(messages))
    answer = encode(answer_of(lesson.answer, as_tools=as_tools) + END)
    return Example((*prompt, *answer), len(prompt))


def common_prefix(examples: Sequence[Example]) -> int:
    """How many first tokens all prompts share, leaving each at least one of its own before the answer."""
    shared = min(one.start for one in examples) - 1
    first = examples[0].ids
    for one in examples:
        shared = next((i for i in range(shared) if one.ids[i] != first[i]), shared)
    return max(shared, 0)


def _text(message: _Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(piece.text for piece in message.content or ())
