"""A guard reads every text of a Converse request, and what it puts in a text's place goes out at the same place."""

from __future__ import annotations

import json

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Peek
from freehold.gateway.texts import Said

BEDROCK = dialect("bedrock_converse")
PLACES = {
    "system": "system",
    "user": "user",
    "document": "document",
    "found": "document",
    "thought": "assistant",
    "said": "assistant",
    "cited": "assistant",
    "argument": "assistant",
    "result": "tool",
    "value": "tool",
    "description": "system",
    "schema": "system",
    "stop": "system",
    "more": "system",
}
BODY = {
    "system": [{"text": "text-system"}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "text-user"},
                {"document": {"format": "pdf", "name": "text-document", "source": {"bytes": "AAAA"}}},
                {"searchResult": {"source": "s", "title": "t", "content": [{"text": "text-found"}]}},
                {"image": {"format": "png", "source": {"bytes": "BBBB"}}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "text-thought", "signature": "c2lnbmVk"}}},
                {"reasoningContent": {"redactedContent": "cmVkYWN0ZWQ="}},
                {"text": "text-said"},
                {"citationsContent": {"content": [{"text": "text-cited"}], "citations": [{"title": "t"}]}},
                {"toolUse": {"toolUseId": "call_1", "name": "f", "input": {"a": "text-argument"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "call_1",
                        "content": [{"text": "text-result"}, {"json": {"deep": ["text-value", 1.50]}}],
                    }
                }
            ],
        },
    ],
    "toolConfig": {
        "tools": [
            {
                "toolSpec": {
                    "name": "f",
                    "description": "text-description",
                    "inputSchema": {"json": {"title": "text-schema"}},
                }
            }
        ]
    },
    "inferenceConfig": {"stopSequences": ["text-stop"]},
    "additionalModelRequestFields": {"vendor": "text-more"},
}
PATH = "/model/my%20route/converse-stream"
PLACED = BEDROCK.in_path.place(PATH, json.dumps(BODY).encode())


def test_every_text_is_a_piece_with_its_source():
    said = Said(BEDROCK, PLACED)
    found = {one.text.removeprefix("text-"): one.source for one in said.pieces if one.text.startswith("text-")}
    assert found == PLACES
    assert not any(blob in one.text for one in said.pieces for blob in ("AAAA", "BBBB", "c2lnbmVk", "cmVkYWN0ZWQ="))
    assert said.read.unread == 2


def test_what_is_put_in_a_texts_place_goes_out_there_and_all_else_stays():
    said = Said(BEDROCK, PLACED)
    written = said.rewritten(tuple(one.text.replace("text-", "new-") for one in said.pieces), "my route")
    peek = BEDROCK.peek(written)
    assert peek == Peek("my route", stream=True, tools=True)
    sent = BEDROCK.with_model(written, peek, "target", add_usage=False)
    assert json.loads(sent) == json.loads(json.dumps(BODY).replace("text-", "new-"))


def test_a_body_that_holds_nothing_goes_out_byte_for_byte():
    said = Said(BEDROCK, PLACED)
    assert said.rewritten(tuple(one.text for one in said.pieces), "my route") == PLACED


def test_a_text_of_the_guards_own_comes_first():
    said = Said(BEDROCK, PLACED)
    sent = json.loads(said.rewritten(tuple(one.text for one in said.pieces), "my route", "Stay calm."))
    assert [one.get("text") for one in sent["system"]] == ["Stay calm.", "text-system", None]
