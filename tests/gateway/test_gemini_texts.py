"""A guard reads every text of a Gemini request, and what it puts in a text's place goes out at the same place."""

from __future__ import annotations

import json

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.texts import Said

GEMINI, CHAT = dialect("gemini"), dialect("openai_chat")
PLACES = {
    "system": "system",
    "user": "user",
    "file": "user",
    "thought": "assistant",
    "said": "assistant",
    "argument": "assistant",
    "result": "tool",
    "code": "assistant",
    "description": "system",
    "schema": "system",
    "form": "system",
    "stop": "system",
}
BODY = {
    "systemInstruction": {"parts": [{"text": "text-system"}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "text-user"},
                {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "text-file"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "text-thought", "thought": True},
                {"text": "text-said", "thoughtSignature": "c2lnbmVk"},
                {"executableCode": {"code": "text-code"}},
                {"functionCall": {"name": "f", "args": {"a": "text-argument"}}, "thoughtSignature": "c2lnbmVkMg=="},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"b": ["text-result"]}}}]},
    ],
    "tools": [
        {
            "functionDeclarations": [
                {"name": "f", "description": "text-description", "parametersJsonSchema": {"title": "text-schema"}}
            ]
        }
    ],
    "generationConfig": {
        "stopSequences": ["text-stop"],
        "responseMimeType": "application/json",
        "responseJsonSchema": {"title": "text-form"},
    },
}
PLACED = GEMINI.in_path.place("/v1beta/models/r:streamGenerateContent?alt=sse", json.dumps(BODY).encode())


def test_every_text_is_a_piece_with_its_source():
    said = Said(GEMINI, PLACED)
    found = {}
    for one in said.pieces:
        for name in PLACES:
            if f"text-{name}" in one.text:
                found[name] = one.source
    assert found == PLACES


def test_bytes_of_files_and_signatures_are_no_texts():
    said = Said(GEMINI, PLACED)
    texts = {one.text for one in said.pieces}
    assert not texts & {"AAAA", "c2lnbmVk", "c2lnbmVkMg=="}
    assert said.read.unread == 1


def test_a_signature_that_is_no_base64_is_a_text():
    odd = {"contents": [{"role": "model", "parts": [{"text": "x", "thoughtSignature": "call me: Ann"}]}]}
    said = Said(GEMINI, GEMINI.in_path.put(json.dumps(odd).encode(), "r", stream=False))
    assert "call me: Ann" in {one.text for one in said.pieces}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    call["extra_content"] = {"google": {"thought_signature": "call me: Ann"}}
    said = Said(CHAT, json.dumps({"model": "r", "messages": [{"role": "assistant", "tool_calls": [call]}]}).encode())
    assert "call me: Ann" in {one.text for one in said.pieces}


def test_what_is_put_in_a_texts_place_goes_out_there_and_the_path_is_kept():
    said = Said(GEMINI, PLACED)
    texts = tuple(one.text.replace("text-", "other-") for one in said.pieces)
    body = said.rewritten(texts, "r")
    peek = GEMINI.peek(body)
    assert (peek.model, peek.stream) == ("r", True)
    sent = GEMINI.with_model(body, peek, "m", add_usage=False)
    assert json.loads(sent) == json.loads(json.dumps(BODY).replace("text-", "other-"))


def test_nothing_to_put_in_leaves_every_byte():
    said = Said(GEMINI, PLACED)
    assert said.rewritten(tuple(one.text for one in said.pieces), "r") == PLACED


def test_a_system_text_goes_before_the_callers():
    said = Said(GEMINI, PLACED)
    body = said.rewritten(tuple(one.text for one in said.pieces), "r", "Be careful.")
    assert json.loads(body)["systemInstruction"]["parts"] == [{"text": "Be careful."}, {"text": "text-system"}]
