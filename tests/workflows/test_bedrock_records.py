"""Captured calls of Bedrock's Converse as records in canonical form."""

from __future__ import annotations

import json

import pytest

from freehold.gateway.assemble import events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.outgoing import CHATS
from freehold.gateway.ports import Peek
from freehold.workflows.collect import canonical_request, canonical_response
from freehold.workflows.errors import Unreadable

BEDROCK = dialect("bedrock_converse")
ASKED = {
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": "Where is it?"}]}],
    "inferenceConfig": {"maxTokens": 100},
}
TOLD = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [{"text": "There."}, {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"q": 1}}}],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 9, "outputTokens": 5, "totalTokens": 14},
    "metrics": {"latencyMs": 3},
}
WHOLE = json.dumps(TOLD).encode()
STREAM = BEDROCK.stream_encoder(Peek("m", stream=True)).feed(events_of(BEDROCK.decode_answer(WHOLE)))


def test_a_request_is_told_with_the_route_of_its_path():
    assert "bedrock_converse" in CHATS
    body = BEDROCK.in_path.place("/model/assistant/converse", json.dumps(ASKED).encode())
    found, conversation = canonical_request("bedrock_converse", body)
    assert (found["model"], found["max_tokens"], conversation) == ("assistant", 100, "")
    assert found["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is it?"},
    ]


@pytest.mark.parametrize(("body", "stream"), [(WHOLE, False), (STREAM, True)])
def test_an_answer_is_told_the_same_whole_and_streamed(body, stream):
    (choice,) = canonical_response("bedrock_converse", body, stream=stream)["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "There.")
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("f", {"q": 1})


def test_a_cut_stream_is_no_answer():
    with pytest.raises(Unreadable):
        canonical_response("bedrock_converse", STREAM[:-1], stream=True)
