"""Fine-tuning files: conversations whose last message is the answer; preference pairs give the preferred one.

They tell no time, no model and no usage, and equal conversations are one call.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.workflows.errors import Unreadable
from freehold.workflows.formats.chat import answer_of, request_of
from freehold.workflows.formats.fields import labelled, mapping, sequence, text
from freehold.workflows.formats.messages import messages_of
from freehold.workflows.formats.types import Draft, Format, Json
from freehold.workflows.formats.vendors import vendor_of

_NAME = "openai_finetune"
_BESIDE = ("tools", "functions", "parallel_tool_calls", "response_format", "tool_choice", "model", "temperature")
_ELSEWHERE = frozenset(
    {
        *("request", "response", "run_type", "type", "traceId", "trace_id", "call_type", "output", "outputs"),
        *("request_id", "body", "params", "choices", "completion"),
    }
)


def _knows(one: Json) -> bool:
    if "preferred_output" in one:
        return True
    return isinstance(one.get("messages"), list) and not _ELSEWHERE & one.keys()


def _read(one: Json, context: Json) -> Iterator[Draft]:
    if "preferred_output" in one:
        asked = mapping(one, "input")
        said = [*sequence(asked, "messages"), *sequence(one, "preferred_output")[:1]]
        beside = {name: asked[name] for name in _BESIDE if asked.get(name) is not None}
    else:
        said = sequence(one, "messages")
        beside = {name: one[name] for name in _BESIDE if one.get(name) is not None}
    messages = messages_of(said)
    if messages[-1]["role"] != "assistant":
        raise Unreadable("the last message is not the assistant's, so there is no answer")
    if len(messages) < 2:
        raise Unreadable("there is nothing before the answer")
    model = text(beside, "model")
    metadata = mapping(one, "metadata")
    yield Draft(
        source=_NAME,
        model=model,
        vendor=vendor_of(model=model),
        app=labelled(metadata, "app"),
        workflow=labelled(metadata, "workflow"),
        request=request_of({**beside, "messages": messages[:-1]}),
        response=answer_of(messages[-1], model),
    )


FORMAT = Format(_NAME, _knows, _read)
