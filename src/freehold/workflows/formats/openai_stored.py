"""OpenAI's stored completions: the list of completions, and the messages of each by its id, joined by that id.

A completion that holds its own messages needs no second file.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import labelled, mapping, sequence, text, when
from freehold.workflows.formats.messages import messages_of
from freehold.workflows.formats.types import Draft, Format, Half, Json
from freehold.workflows.formats.vendors import vendor_of

MESSAGES_OF = "messages_of"
"""The member under which the reader of documents puts the id that a list of messages stood under."""

_NAME = "openai_stored"
_ASKED = (
    *("model", "temperature", "tools", "tool_choice", "seed", "response_format", "max_tokens", "stop", "n", "logprobs"),
    *("max_completion_tokens", "reasoning_effort", "parallel_tool_calls"),
)
_DEFAULTS: Json = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""The export writes these out where nothing was asked for, so their common values say nothing."""


def _knows(one: Json) -> bool:
    if MESSAGES_OF in one:
        return True
    return one.get("object") == "chat.completion" and "choices" in one and "request" not in one


def _read(one: Json, context: Json) -> Iterator[Draft | Half]:
    if MESSAGES_OF in one:
        said = messages_of(sequence(one, "data", "messages"))
        yield Half(source=_NAME, key=text(one, MESSAGES_OF), answer=False, body={"messages": said})
        return
    key = text(one, "id")
    if not key:
        raise Unreadable("the completion has no id to be joined by")
    metadata = mapping(one, "metadata")
    more = {
        "at": when(one, "created"),
        "app": labelled(metadata, "app", "application", "service"),
        "workflow": labelled(metadata, "workflow"),
        "asked": {name: one[name] for name in _ASKED if one.get(name) is not None}
        | {name: one[name] for name, usual in _DEFAULTS.items() if one.get(name, usual) not in (usual, None)},
    }
    half = Half(source=_NAME, key=key, answer=True, body=response_of(one) or {}, more=more)
    own = sequence(one, "messages", "input")
    if own:
        yield _join(Half(source=_NAME, key=key, answer=False, body={"messages": messages_of(own)}), half)
    else:
        yield half


def _join(asked: Half, answered: Half) -> Draft:
    model = text(answered.body, "model")
    return Draft(
        source=_NAME,
        external_id=asked.key,
        at=answered.more["at"],
        vendor=vendor_of(model=model) or "openai-api",
        model=model,
        app=answered.more["app"],
        workflow=answered.more["workflow"],
        request=request_of({**answered.more["asked"], **asked.body}),
        response=answered.body or None,
    )


FORMAT = Format(_NAME, _knows, _read, _join)
