"""A classifier's answers as OpenAI's chat completions, whole or streamed: bytes in, bytes out, no I/O.

Tokens are estimated: a quarter of the characters read and written, rounded up, and said to be so (`estimated`).
The calibrated confidence stands in the choice, as `freehold.confidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Protocol

import msgspec

from freehold.core.clock import Clock
from freehold.core.errors import NotTranslatable
from freehold.gateway.json_read import from_caller
from freehold.grading.types import ToolCall

CHARACTERS_A_TOKEN = 4
"""English prose has about four characters to a token of common vocabularies (OpenAI's tokenizer guide)."""


class Scored(Protocol):
    """What a scorer answers."""

    @property
    def text(self) -> str:
        """The answer's text; empty where it is calls of tools."""

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """The calls, in order."""

    @property
    def confidence(self) -> float:
        """Calibrated probability of being right."""


class Scorer(Protocol):
    """Answers an OpenAI chat request."""

    def answer(self, request: bytes) -> Scored:
        """Raises MalformedJson."""


class _Piece(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: str | list[_Piece] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct):
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    logprobs: bool | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool = True


class _Own(msgspec.Struct):
    confidence: float


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct, omit_defaults=True):
    id: str
    function: _Function
    type: str
    index: int | None = None


class _Said(msgspec.Struct):
    content: str | None
    role: str = "assistant"
    tool_calls: list[_Call] | msgspec.UnsetType = msgspec.UNSET


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str
    freehold: _Own
    index: int = 0


class _Whole(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: list[_Choice]
    usage: _Usage
    object: str = "chat.completion"


class _Delta(msgspec.Struct):
    delta: _Said | dict[str, str]
    finish_reason: str | None = None
    freehold: _Own | msgspec.UnsetType = msgspec.UNSET
    index: int = 0


class _Chunk(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: list[_Delta]
    usage: _Usage | msgspec.UnsetType = msgspec.UNSET
    object: str = "chat.completion.chunk"


_asked = msgspec.json.Decoder(_Asked)
_encode = msgspec.json.Encoder().encode


class Desk:
    """Answers with one scorer; `clock` dates the answers."""

    def __init__(self, scorer: Scorer, model: str, clock: Clock) -> None:
        self._scorer = scorer
        self._model = model
        self._clock = clock
        self._started = int(clock())
        self._ids = count()

    def models(self) -> bytes:
        """The list of models: this one."""
        one = {"id": self._model, "object": "model", "created": self._started, "owned_by": "owned"}
        return _encode({"object": "list", "data": [one]})

    def answer(self, request: bytes) -> tuple[bool, bytes]:
        """Whether the body is a stream, and the body. Raises MalformedJson or BadRequest for what is no chat request.

        Raises NotTranslatable for what a classifier cannot give: several choices, token probabilities.
        """
        asked = from_caller(_asked, request)
        if asked.n is not None and asked.n != 1:
            raise NotTranslatable("a classifier has one answer", param="n")
        if asked.logprobs:
            raise NotTranslatable("a classifier has no token probabilities; its confidence is told", param="logprobs")
        scored = self._scorer.answer(request)
        number = f"{self._started:x}{next(self._ids):08x}"
        calls = [
            _Call(f"call_{number}{at}", _Function(one.name, one.arguments), "function")
            for at, one in enumerate(scored.tool_calls)
        ]
        finish = "tool_calls" if calls else "stop"
        own = _Own(round(scored.confidence, 6))
        usage = _counted(asked, scored)
        key, created = f"chatcmpl-{number}", int(self._clock())
        text = None if calls and not scored.text else scored.text
        if not asked.stream:
            said = _Said(text, tool_calls=calls or msgspec.UNSET)
            return False, _encode(_Whole(key, created, self._model, [_Choice(said, finish, own)], usage))
        for at, one in enumerate(calls):
            one.index = at
        chunks = [
            _Chunk(key, created, self._model, [_Delta(_Said(text, tool_calls=calls or msgspec.UNSET))]),
            _Chunk(key, created, self._model, [_Delta({}, finish, own)]),
        ]
        if asked.stream_options is not None and asked.stream_options.include_usage:
            chunks.append(_Chunk(key, created, self._model, [], usage))
        return True, b"".join([b"data: %b\n\n" % _encode(one) for one in chunks]) + b"data: [DONE]\n\n"


def tokens(characters: int) -> int:
    """Estimated tokens of so many characters."""
    return -(-characters // CHARACTERS_A_TOKEN)


def _counted(asked: _Asked, scored: Scored) -> _Usage:
    read = 0
    for message in asked.messages:
        content = message.content
        if isinstance(content, str):
            read += len(content)
        elif content is not None:
            read += sum(len(piece.text) for piece in content)
    written = len(scored.text) + sum(len(one.name) + len(one.arguments) for one in scored.tool_calls)
    prompt, completion = tokens(read), tokens(written)
    return _Usage(prompt, completion, prompt + completion)
