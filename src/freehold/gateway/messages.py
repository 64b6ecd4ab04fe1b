"""The neutral form of a request, an answer and a stream: what translation passes through.

Every field is kept by somebody: a dialect that cannot carry one names it as dropped. JSON that callers wrote
(schemas, arguments, logit biases) stays as the bytes they sent, so prompt-cache prefixes do not move.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from freehold.ledger.meter import Usage

Extra = tuple[tuple[str, str, Raw], ...]
"""Fields only one dialect knows: (dialect, field, value as sent). On a part, a turn or a tool: its own fields.

Those called `own.*` place a part in its dialect (ids, echoes of the request): elsewhere nothing is lost without them.
"""


class Cache(msgspec.Struct, frozen=True):
    """A prompt-cache breakpoint after this part; `ttl` is empty where the vendor's default was left to apply."""

    ttl: str = "5m"


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Plain text. `citations` are the answer's sources as the vendor sent them."""

    text: str
    cache: Cache | None = None
    citations: tuple[Raw, ...] = ()
    extra: Extra = ()


class Image(msgspec.Struct, frozen=True, tag="image"):
    """An image by `url` or by base64 `data` of a media type."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    detail: str = ""
    cache: Cache | None = None
    extra: Extra = ()


class Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    """Reasoning text with the vendor's signature, which must come back unchanged.

    `field` names the field it stood in (`reasoning_content`, `reasoning`) where the dialect has no block for it.
    """

    text: str
    signature: str = ""
    field: str = ""
    extra: Extra = ()


class Redacted(msgspec.Struct, frozen=True, tag="redacted"):
    """Reasoning the vendor keeps encrypted."""

    data: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The model's own refusal, where the dialect tells it apart from text."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """A call the model wants made; `arguments` is the JSON text it wrote.

    `signature` seals the thinking that led to it, and must come back unchanged; other vendors cannot read it.
    """

    id: str
    name: str
    arguments: str
    cache: Cache | None = None
    extra: Extra = ()
    signature: str = ""


class Opaque(msgspec.Struct, frozen=True, tag="opaque"):
    """A part only one dialect knows (audio, file, document, server tool); carried to that dialect or dropped."""

    dialect: str
    kind: str
    raw: Raw


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool gave back."""

    id: str
    parts: tuple[Text | Image | Opaque, ...] = ()
    is_error: bool = False
    cache: Cache | None = None
    extra: Extra = ()


Part = Text | Image | Thinking | Redacted | Refusal | ToolCall | ToolResult | Opaque


class Turn(msgspec.Struct, frozen=True):
    """One message. Role is `system`, `developer`, `user` or `assistant`; tool results stand in `user` turns.

    (`function`, long deprecated, is kept for the one dialect that had it.)
    """

    role: str
    parts: tuple[Part, ...]
    name: str = ""
    extra: Extra = ()


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call; `schema` is its JSON Schema as sent (empty where none was).

    `opaque` is set for a tool only one dialect knows (hosted search, custom grammar), with the tool as sent.
    """

    name: str
    schema: Raw
    description: str = ""
    strict: bool | None = None
    cache: Cache | None = None
    extra: Extra = ()
    opaque: Opaque | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """`auto`, `none`, `any` (must call one) or `tool` (must call `name`)."""

    kind: str = "auto"
    name: str = ""
    parallel: bool | None = None


class Format(msgspec.Struct, frozen=True):
    """Structured output: `json_object`, or `json_schema` with its schema."""

    kind: str
    schema: Raw = Raw(b"")
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Thought(msgspec.Struct, frozen=True):
    """How much the model may think: a budget in tokens and/or an effort word."""

    enabled: bool = True
    budget: int | None = None
    effort: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whatever dialect it came in."""

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    format: Format | None = None
    thought: Thought | None = None
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    logit_bias: Raw | None = None
    user: str = ""
    stream: bool = False
    wants_usage: bool = True
    extra: Extra = ()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One alternative of an answer. `stop` is `end`, `length`, `stop_sequence`, `tool_calls`, `refusal`,
    `content_filter` or `pause`.
    """

    index: int = 0
    parts: tuple[Part, ...] = ()
    stop: str = "end"
    stop_sequence: str = ""
    logprobs: Raw | None = None
    extra: Extra = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    id: str
    model: str
    created: int = 0
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    extra: Extra = ()


class Started(msgspec.Struct, frozen=True):
    """The answer begins. Usage, where known, holds the input counts."""

    id: str
    model: str
    created: int = 0
    usage: Usage | None = None
    extra: Extra = ()


class Opened(msgspec.Struct, frozen=True):
    """A block begins: a part whose text is still empty (arguments, for a tool call)."""

    block: int
    part: Part
    choice: int = 0


class Grown(msgspec.Struct, frozen=True):
    """More of a block: text, thinking or refusal text, argument JSON, or (`signature`) the thinking's signature."""

    block: int
    text: str = ""
    signature: str = ""
    citation: Raw | None = None
    logprobs: Raw | None = None
    choice: int = 0


class Closed(msgspec.Struct, frozen=True):
    """A block is whole."""

    block: int
    choice: int = 0


class Stopped(msgspec.Struct, frozen=True):
    """A choice is whole, and why it stopped (the words of `Choice.stop`)."""

    stop: str
    stop_sequence: str = ""
    choice: int = 0
    extra: Extra = ()


class Counted(msgspec.Struct, frozen=True):
    """What the answer used, cumulative."""

    usage: Usage
    extra: Extra = ()


class Aside(msgspec.Struct, frozen=True):
    """Something only one dialect knows, said about a choice on the way (annotations, audio)."""

    dialect: str
    field: str
    raw: Raw
    choice: int = 0


class Ended(msgspec.Struct, frozen=True):
    """The stream reached its end mark."""


class Failed(msgspec.Struct, frozen=True):
    """The vendor reported an error inside the stream."""

    kind: str
    message: str
    raw: Any = None


Event = Started | Opened | Grown | Closed | Stopped | Counted | Aside | Ended | Failed
