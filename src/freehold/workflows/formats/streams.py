"""A recorded stream of server-sent events put together into the answer it told, by the gateway's own decoders."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.core.errors import FreeholdError
from freehold.gateway.assemble import assemble
from freehold.gateway.dialects.registry import dialect
from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.types import Json

_decode = msgspec.json.Decoder().decode


def looks_like_one(content: str) -> bool:
    """True for the text of an event stream."""
    head = content[:200].lstrip()
    return head.startswith(("data:", "event:", ":", "id:"))


def answer_of(content: bytes, name: str) -> Json:
    """The `chat.completion` a stream in the dialect `name` tells. Raises Unreadable where it was cut or is broken."""
    speaks: Any = dialect(name)
    decoder = speaks.stream_decoder()
    try:
        answer = assemble([*decoder.feed(content), *decoder.end()])
        body, _ = dialect("openai_chat").encode_answer(answer)
    except FreeholdError as error:
        raise Unreadable(f"the streamed answer is not whole: {error.message}") from error
    found: Json = _decode(body)
    return {key: one for key, one in found.items() if one not in (None, 0, "")}
