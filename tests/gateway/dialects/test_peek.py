"""What is read of a request without decoding its content, and how a bad one is refused."""

from __future__ import annotations

import pytest

from freehold.core.errors import BadRequest, MalformedJson
from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.media import FORMS
from freehold.gateway.ports import Peek

CHAT, MESSAGES = dialect("openai_chat"), dialect("anthropic_messages")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"r","messages":[]}', Peek("r")),
        (b'{"model":"r","messages":[],"stream":true}', Peek("r", stream=True, wants_usage=False)),
        (
            b'{"model":"r","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
            Peek("r", stream=True, wants_usage=True),
        ),
        (b'{"model":"r","messages":[],"max_tokens":7,"n":3}', Peek("r", max_output=7, choices=3)),
        (b'{"model":"r","messages":[],"max_tokens":7,"max_completion_tokens":9}', Peek("r", max_output=9)),
        (
            b'{"model":"r","messages":[],"user":"u","metadata":{"workflow":"w"}}',
            Peek("r", workflow="w", conversation="u"),
        ),
        (b'{"model":"r","messages":[],"prompt_cache_key":"k","user":"u"}', Peek("r", conversation="k")),
        (
            b'{"model":"r","messages":[],"tools":[{}],"response_format":{"type":"json_schema"}}',
            Peek("r", tools=True, structured=True),
        ),
        (b'{"model":"r","messages":[],"tools":[],"response_format":{"type":"text"}}', Peek("r")),
        (b'{"model":"r","messages":[],"stream":null,"n":null,"user":null,"metadata":null}', Peek("r")),
    ],
)
def test_chat(body, expected):
    assert CHAT.peek(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"r","messages":[],"max_tokens":7,"stream":true}', Peek("r", stream=True, max_output=7)),
        (b'{"model":"r","messages":[],"max_tokens":0}', Peek("r", max_output=0)),
        (
            (
                b'{"model":"r","messages":[],"max_tokens":7,"metadata":{"user_id":"u"},"tools":[{}],'
                b'"output_config":{"format":{"type":"json_schema"}}}'
            ),
            Peek("r", max_output=7, conversation="u", tools=True, structured=True),
        ),
    ],
)
def test_messages(body, expected):
    assert MESSAGES.peek(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"r","input":"x"}', Peek("r")),
        (b'{"model":"r","input":"x","stream":true,"max_output_tokens":7}', Peek("r", stream=True, max_output=7)),
        (
            b'{"model":"r","input":"x","user":"u","metadata":{"workflow":"w"}}',
            Peek("r", workflow="w", conversation="u"),
        ),
        (b'{"model":"r","input":"x","prompt_cache_key":"k","user":"u"}', Peek("r", conversation="k")),
        (
            b'{"model":"r","input":"x","tools":[{}],"text":{"format":{"type":"json_schema"}}}',
            Peek("r", tools=True, structured=True),
        ),
        (b'{"model":"r","input":"x","tools":[],"text":{"format":{"type":"text"}},"store":false}', Peek("r")),
        (b'{"model":"r","input":"x","store":true}', Peek("r", keeps=True)),
        (b'{"model":"r","input":"x","previous_response_id":null,"conversation":null}', Peek("r")),
        (b'{"model":"r","input":"x","previous_response_id":"resp_1"}', Peek("r", leans_on="previous_response_id")),
        (b'{"model":"r","input":"x","conversation":{"id":"c"}}', Peek("r", leans_on="conversation")),
        (b'{"model":"r","input":"x","prompt":{"id":"p"}}', Peek("r", leans_on="prompt")),
        (b'{"model":"r","input":[{"type":"item_reference","id":"i"}]}', Peek("r", leans_on="input")),
        (b'{"model":"r","input":[{"type":"item\\u005freference","id":"i"}]}', Peek("r", leans_on="input")),
        (b'{"model":"r","input":[{"role":"user","content":"an item_reference"}]}', Peek("r")),
    ],
)
def test_responses(body, expected):
    assert dialect("openai_responses").peek(body) == expected


def test_embeddings_and_counts_reserve_no_output():
    assert dialect("openai_embeddings").peek(b'{"model":"r","input":["a"]}') == Peek("r", max_output=0)
    assert dialect("anthropic_count_tokens").peek(b'{"model":"r","messages":[]}') == Peek("r", max_output=0)


WHOLE = b'"model":"r","messages":[],"input":"x","max_tokens":1,"prompt":"p","query":"q","documents":["d"],"contents":[]'
"""What every dialect of JSON needs."""
IN_JSON = [one for one in DIALECTS if one.name not in FORMS]


@pytest.mark.parametrize("one", IN_JSON, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model":',
        b"{" + WHOLE + b"} x",
        b'\xff{"model":"r"}',
        b'{"model":"r","messages":"\xff"}',
        b'{"a":"\\x"}',
        b'{"model":"r","x":' + b"[" * 100000,
        b"{" + WHOLE + b',"x":"\\ud800"}',
    ],
)
def test_what_is_no_json_is_malformed(one, body):
    with pytest.raises(MalformedJson):
        one.peek(body)


@pytest.mark.parametrize(
    ("name", "body", "param"),
    [
        ("openai_chat", b"[]", None),
        ("openai_chat", b'{"messages":[]}', "model"),
        ("openai_chat", b'{"model":"r"}', "messages"),
        ("openai_chat", b'{"model":5,"messages":[]}', "model"),
        ("openai_chat", b'{"model":"r","messages":[],"n":0}', "n"),
        ("openai_chat", b'{"model":"r","messages":[],"max_tokens":-1}', "max_tokens"),
        ("openai_chat", b'{"model":"r","messages":[],"max_tokens":1e99}', "max_tokens"),
        ("openai_chat", b'{"model":"r","messages":[],"stream":"yes"}', "stream"),
        (
            "openai_chat",
            b'{"model":"r","messages":[],"stream_options":{"include_usage":1}}',
            "stream_options.include_usage",
        ),
        ("anthropic_messages", b'{"model":"r","messages":[]}', "max_tokens"),
        ("anthropic_messages", b'{"model":"r","messages":[],"max_tokens":-1}', "max_tokens"),
        ("openai_embeddings", b'{"model":"r"}', "input"),
        ("openai_responses", b'{"model":"r"}', "input"),
        ("openai_responses", b'{"model":"r","input":"x","max_output_tokens":-1}', "max_output_tokens"),
        ("openai_responses", b'{"model":"r","input":"x","background":true}', "background"),
        ("anthropic_count_tokens", b'{"model":"r"}', "messages"),
    ],
)
def test_a_wrong_field_is_named(name, body, param):
    with pytest.raises(BadRequest) as caught:
        dialect(name).peek(body)
    assert (caught.value.code, caught.value.param) == ("FH-REQ-001", param)
