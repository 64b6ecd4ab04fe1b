"""A guard reads every text of a responses request, and what it puts in a text's place goes out at the same place."""

from __future__ import annotations

import json

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.texts import Said

RESPONSES = dialect("openai_responses")
PLACES = {
    "instructions": "system",
    "user": "user",
    "file": "document",
    "summary": "assistant",
    "said": "assistant",
    "argument": "assistant",
    "result": "tool",
    "hosted": "assistant",
    "grammar": "tool",
    "description": "system",
    "schema": "system",
}
BODY = {
    "model": "r",
    "instructions": "text-instructions",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "text-user"},
                {"type": "input_file", "filename": "text-file", "file_data": "data:text/plain;base64,AAAA"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "text-summary"}],
            "encrypted_content": "gAAAAABo",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "text-said"}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": "text-argument"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "text-result"},
        {"type": "web_search_call", "id": "ws_1", "action": {"query": "text-hosted"}},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "text-grammar"},
    ],
    "tools": [
        {"type": "function", "name": "f", "description": "text-description", "parameters": {"title": "text-schema"}}
    ],
}


def test_every_text_is_a_piece_with_its_source():
    said = Said(RESPONSES, json.dumps(BODY).encode())
    found = {one.text.removeprefix("text-"): one.source for one in said.pieces if one.text.startswith("text-")}
    assert found == PLACES
    assert not any("AAAA" in one.text for one in said.pieces)
    assert said.read.unread == 1


def test_what_is_put_in_a_texts_place_goes_out_there_and_all_else_stays():
    said = Said(RESPONSES, json.dumps(BODY).encode())
    new = tuple(one.text.replace("text-", "new-") for one in said.pieces)
    sent = json.loads(said.rewritten(new, "r"))
    told = json.dumps(sent)
    assert "text-" not in told and all(f"new-{name}" in told for name in PLACES)
    kinds = [one.get("type", "message") for one in sent["input"]]
    assert kinds == [one.get("type", "message") for one in BODY["input"]]
    assert sent["input"][1] == {
        "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "new-summary"}], "encrypted_content": "gAAAAABo",
    }  # fmt: skip


def test_a_body_that_holds_nothing_goes_out_byte_for_byte():
    body = json.dumps(BODY, indent=1).encode()
    said = Said(RESPONSES, body)
    assert said.rewritten(tuple(one.text for one in said.pieces), "r") == body


def test_a_text_of_the_guards_own_comes_first():
    said = Said(RESPONSES, json.dumps(BODY).encode())
    sent = json.loads(said.rewritten(tuple(one.text for one in said.pieces), "r", "Stay calm."))
    assert sent["instructions"] == "text-instructions"
    assert sent["input"][0] == {"role": "system", "content": "Stay calm."}
