"""What a guard takes out leaves in no place of a request, however odd: each place of each dialect is tried."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold.core.errors import BadRequest
from freehold.gateway.unplaced import unplaced
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask, two_targets
from tests.gateway.machine import Machine

NOTE = {"note": "n"}
CHAT = {
    "model": "rented",
    "messages": [
        {"role": "system", "content": "s", "name": "n"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit", "x": "y"}, **NOTE},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}, **NOTE},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "f"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "r", **NOTE}],
            "reasoning": "th",
            "audio": {"id": "x"},
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":"b"}', **NOTE}},
                {"id": "c2", "type": "custom", "custom": {"name": "n", "input": "i"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "res", **NOTE},
        {"role": "function", "name": "f", "content": "res"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"title": "t"}}, **NOTE},
        {"type": "custom", "custom": {"name": "n", "description": "d"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f", **NOTE}, **NOTE},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"title": "t"}, **NOTE}},
    "reasoning_effort": "low",
    "logit_bias": {"50256": 1},
    "user": "u",
    "metadata": {"k": "v"},
    "prediction": {"type": "content", "content": "p"},
    "stream_options": {"x": "y"},
    "whatever": {"deep": ["v"]},
}
MESSAGES = {
    "model": "claude",
    "max_tokens": 16,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "5m"}, **NOTE}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "doc"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "th", "signature": "sig"},
                {"type": "redacted_thinking", "data": "AAAA", **NOTE},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "b"}, **NOTE},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r", **NOTE}]},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {"title": "t"}, **NOTE}],
    "tool_choice": {"type": "tool", "name": "f", **NOTE},
    "thinking": {"type": "enabled", "budget_tokens": 1024, **NOTE},
    "metadata": {"user_id": "u", "k": "v"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"title": "t"}, **NOTE}},
}
EMBED = {"model": "rented", "input": ["a", "b"], "user": "u", "encoding_format": "float", "dimensions": 3}
BODIES = {
    p.CHAT: CHAT,
    p.MESSAGES: MESSAGES,
    "/v1/embeddings": EMBED,
    "/v1/messages/count_tokens": MESSAGES,
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return two_targets(tmp_path)


def variants(body: object) -> Iterator[object]:
    """The body with the address in the place of each value, and as the name of one member more of each object."""
    if isinstance(body, dict):
        yield {**body, g.EMAIL: 1}
        for name, value in body.items():
            yield from ({**body, name: new} for new in variants(value))
    elif isinstance(body, list):
        for at, value in enumerate(body):
            yield from ([*body[:at], new, *body[at + 1 :]] for new in variants(value))
    else:
        yield g.EMAIL


def left(machine: Machine, path: str, body: bytes, *lines: str) -> bytes:
    """What leaves for a call with this body; nothing where it is refused."""
    connection = machine.caller()
    machine.ask(connection, p.request(path, body, *lines))
    if not (machine.connecting or machine.busy()):
        assert answered(connection).status in {400, 403, 404}
        return b""
    upstream = machine.connect() if machine.connecting else machine.busy()[-1]
    found = bytes(upstream.transport.sent)
    machine.answer(upstream, p.response(b"{}", status="500 Oh"))
    return found


@pytest.mark.parametrize("path", BODIES)
def test_nothing_leaves_from_any_place(tmp_path, path) -> None:
    machine = two_targets(tmp_path)
    g.arm(machine, g.rule("pseudonymise"))
    whole = left(machine, path, json.dumps(BODIES[path]).encode())
    assert b'"model"' in whole
    for number, body in enumerate(variants(copy.deepcopy(BODIES[path]))):
        if number % 40 == 0:
            (tmp_path / str(number)).mkdir()
            machine = two_targets(tmp_path / str(number))
            g.arm(machine, g.rule("pseudonymise"))
        assert g.EMAIL.encode() not in left(machine, path, json.dumps(body).encode()), body


def test_headers_that_go_on_are_looked_at(machine) -> None:
    g.arm(machine, g.rule("redact"))
    body = json.dumps({"model": "claude", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}).encode()
    assert b"anthropic-beta: files-2025" in left(machine, p.MESSAGES, body, "anthropic-beta: files-2025-04-14")
    assert left(machine, p.MESSAGES, body, f"anthropic-beta: {g.EMAIL}") == b""


def test_a_member_may_stand_once(machine) -> None:
    g.arm(machine, g.rule("redact"))
    for twice in (
        f'"messages":[{{"role":"user","content":"{g.EMAIL}"}}],"messages":[{{"role":"user","content":"hi"}}]',
        f'"messages":[{{"role":"user","content":"{g.EMAIL}","c\\u006fntent":"hi"}}]',
    ):
        assert left(machine, p.CHAT, f'{{"model":"rented",{twice}}}'.encode()) == b""


def test_a_label_is_raised_from_there_too(machine) -> None:
    g.arm(machine, g.raising())
    tool = {"type": "function", "function": {"name": "patient", "parameters": {}}}
    connection = ask(machine, "both", messages="hi", tools=[tool])
    answer(machine, p.response(p.chat_answer("x")))
    assert answered(connection).headers["x-freehold-target"] == "mine"


def test_bytes_and_ids_are_spared_where_they_are_such() -> None:
    body = json.dumps({"a": "AAAA+/==", "b": "not base64!", "c": "call_12", "d": "jane-12", "n": 1234567}).encode()
    assert unplaced(body, {"a", "b", "c", "d", "n"}, {"AAAA+/==", "not base64!"}, {"call_12", "jane-12"}) == [
        "not base64!", "jane-12", "1234567",
    ]  # fmt: skip


def test_numbers_without_end_hide_nothing() -> None:
    body = b'{"n":%b,"x":"\\u0061b c"}' % (b"1" * 5000)
    assert unplaced(body, (), (), ()) == ["n", "1" * 5000, "x", "ab c"]
    with pytest.raises(BadRequest):
        unplaced(b"[" * 100_000 + b"]" * 100_000, (), (), ())
