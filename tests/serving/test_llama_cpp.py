"""The real engine with the real weights: what it can do, and what it keeps to itself."""

from __future__ import annotations

import json
import socket

import pytest

ASK = [{"role": "user", "content": "Say hello to Ann."}]


def chat(engine, **fields):
    status, body = engine.post("/v1/chat/completions", {"messages": ASK, "max_tokens": 12, "temperature": 0, **fields})
    assert status == 200, body
    return body


def events(body):
    lines = [one.removeprefix(b"data: ") for one in body.split(b"\n\n") if one.startswith(b"data: ")]
    assert lines[-1] == b"[DONE]"
    return [json.loads(one) for one in lines[:-1]]


def test_a_stream_says_what_the_whole_answer_says_and_counts_the_same(chat_engine):
    whole = json.loads(chat(chat_engine))
    told = events(chat(chat_engine, stream=True, stream_options={"include_usage": True}))
    text = "".join(one["choices"][0]["delta"].get("content") or "" for one in told if one["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert len(text) > 0
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert told[-1]["usage"][key] == whole["usage"][key]
    assert whole["usage"]["completion_tokens"] <= 12


def test_a_schema_is_kept_to(chat_engine):
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "age": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["colour", "age"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    answer = json.loads(chat(chat_engine, response_format=form, max_tokens=60))
    found = json.loads(answer["choices"][0]["message"]["content"])
    assert found["colour"] in {"red", "green"}
    assert 0 <= found["age"] <= 9


def test_logprobs_come_with_their_alternatives(chat_engine):
    answer = json.loads(chat(chat_engine, logprobs=True, top_logprobs=2, max_tokens=2))
    content = answer["choices"][0]["logprobs"]["content"]
    assert [len(one["top_logprobs"]) for one in content] == [2, 2]
    assert all(one["logprob"] <= 0 for one in content)


def test_an_answer_is_bounded_where_the_caller_names_no_limit(chat_engine):
    story = {"messages": [{"role": "user", "content": "Tell me a very long story."}], "ignore_eos": True}
    answer = json.loads(chat_engine.post("/v1/chat/completions", story)[1])
    assert answer["usage"]["completion_tokens"] == chat_engine.deployment.max_output
    assert answer["choices"][0]["finish_reason"] == "length"


def test_input_tokens_of_a_chat_are_counted_in_one_call_as_the_answer_counts_them(chat_engine):
    body = {"messages": [{"role": "system", "content": "Be brief."}, *ASK]}
    status, counted = chat_engine.post("/v1/chat/completions/input_tokens", body)
    assert status == 200
    answer = json.loads(chat(chat_engine, **body))
    assert json.loads(counted)["input_tokens"] == answer["usage"]["prompt_tokens"]


def test_a_prompt_above_the_context_is_the_callers_fault(chat_engine):
    status, body = chat_engine.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "word " * 5000}]})
    assert (status, json.loads(body)["error"]["type"]) == (400, "exceed_context_size_error")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/slots", "/props", "/metrics", "/tokenize", "/v1/models"])
def test_nothing_but_health_is_told_without_the_secret(chat_engine, path):
    assert chat_engine.post(path, {}, secret="wrong")[0] == 401


def test_it_listens_on_loopback_only(chat_engine):
    port = chat_engine.deployment.port
    for _, _, _, _, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_STREAM):
        if not address[0].startswith("127."):
            with socket.socket() as probe:
                assert probe.connect_ex((address[0], port)) != 0


def test_like_texts_have_like_vectors(embed_engine):
    texts = ["A cat sits on the mat.", "A kitten rests on the rug.", "The invoice is due on Friday."]
    status, body = embed_engine.post("/v1/embeddings", {"input": texts})
    assert status == 200
    cat, kitten, invoice = (one["embedding"] for one in json.loads(body)["data"])
    assert len(cat) == 384
    assert sum(one * one for one in cat) == pytest.approx(1, abs=1e-3)
    near = sum(a * b for a, b in zip(cat, kitten, strict=True))
    far = sum(a * b for a, b in zip(cat, invoice, strict=True))
    assert near > 0.5
    assert far < 0.3


def test_the_vectors_are_those_of_the_reference(embed_engine):
    """First values of this sentence's vector as users of the reference implementation quote them; Q8_0 moves them a little."""
    body = embed_engine.post("/v1/embeddings", {"input": "This is an example sentence"})[1]
    found = json.loads(body)["data"][0]["embedding"][:4]
    assert found == pytest.approx([0.06765693, 0.06349589, 0.04871309, 0.07930495], abs=0.004)


def test_base64_vectors_are_the_same(embed_engine):
    import base64
    import struct

    plain = json.loads(embed_engine.post("/v1/embeddings", {"input": "hello"})[1])["data"][0]["embedding"]
    packed = json.loads(embed_engine.post("/v1/embeddings", {"input": "hello", "encoding_format": "base64"})[1])
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(plain, abs=1e-5)
