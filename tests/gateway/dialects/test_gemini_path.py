"""What a path says is put into the body and taken off again, byte for byte, whatever the caller wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest
from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.json_splice import members
from tests.gateway.dialects.test_model_splice import bodies, model_names, spaces

GEMINI, ARRAY = dialect("gemini"), dialect("gemini_array")
COUNT, EMBED = dialect("gemini_count_tokens"), dialect("gemini_embeddings")


@settings(max_examples=200, deadline=None)
@given(st.one_of(bodies().map(lambda one: one[0]), st.builds(lambda a, b, c: a + b"{" + b + b"}" + c, spaces, spaces, spaces)), model_names, st.booleans())  # fmt: skip
def test_what_is_put_in_is_what_counts_and_comes_off_again(body, model, stream):
    placed = GEMINI.in_path.put(body, model, stream=stream)
    seen = json.loads(placed)
    assert (seen["model"], seen["stream"]) == (model, stream)
    assert {name: bytes(raw) for name, raw in members(placed).items() if name not in {"model", "stream"}} == {
        name: bytes(raw) for name, raw in members(body).items() if name not in {"model", "stream"}
    }
    peek = GEMINI.peek(GEMINI.in_path.put(b'{"contents":[]}', model, stream=stream))
    assert GEMINI.with_model(placed, peek, "target", add_usage=False) == body


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=30), st.text('{}[]",:a\\ ', max_size=14).map(str.encode)))
def test_nothing_becomes_json_by_what_is_put_in(body):
    placed = GEMINI.in_path.put(body, "m", stream=False)
    try:
        given_object = isinstance(json.loads(body), dict)
    except ValueError:
        given_object = False
    if not given_object:
        with pytest.raises(BadRequest):
            GEMINI.peek(placed)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1beta/models/m:generateContent", "gemini"),
        ("/v1/models/m:generateContent?alt=json", "gemini"),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", "gemini"),
        ("/v1beta/models/m:streamGenerateContent?a=b&alt=sse", "gemini"),
        ("/v1beta/models/m:streamGenerateContent", "gemini_array"),
        ("/v1beta/models/m:countTokens", "gemini_count_tokens"),
        ("/v1beta/models/m:embedContent", "gemini_embeddings"),
        ("/v1beta/models/m:batchEmbedContents", "gemini_embeddings"),
        ("/v1beta/models/m:predict", ""),
        ("/v1beta/models/m", ""),
        ("/v1beta/models/:generateContent", ""),
        ("/v2/models/m:generateContent", ""),
    ],
)
def test_each_path_is_one_dialects(path, where):
    ours = [one for one in DIALECTS if one.name.startswith("gemini")]
    found = [one.name for one in ours if one.in_path is not None and one.in_path.place(path, b"{}") is not None]
    assert found == ([where] if where else [])


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-3-pro", False, "/models/gemini-3-pro:generateContent"),
        ("gemini-3-pro", True, "/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("tunedModels/mine", False, "/tunedModels/mine:generateContent"),
        ("a b\r\nx: y", False, "/models/a%20b%0D%0Ax%3A%20y:generateContent"),
    ],
)
def test_the_targets_path_names_its_model(model, stream, path):
    peek = GEMINI.peek(GEMINI.in_path.put(b'{"contents":[]}', "r", stream=stream))
    assert GEMINI.in_path.upstream(model, peek) == path


def test_requests_inside_a_batch_name_the_targets_model():
    batch = {"requests": [{"model": "models/r", "content": {"parts": [{"text": "a"}]}}]}
    body = EMBED.in_path.place("/v1beta/models/r:batchEmbedContents", json.dumps(batch).encode())
    peek = EMBED.peek(body)
    assert EMBED.in_path.upstream("e", peek) == "/models/e:batchEmbedContents"
    assert json.loads(EMBED.with_model(body, peek, "e", add_usage=False))["requests"][0]["model"] == "models/e"
    one = EMBED.in_path.place("/v1beta/models/r:embedContent", b'{"content": {"parts": []}}')
    assert EMBED.in_path.upstream("e", EMBED.peek(one)) == "/models/e:embedContent"
    assert EMBED.with_model(one, EMBED.peek(one), "e", add_usage=False) == b'{"content": {"parts": []}}'
    inner = b'{"generateContentRequest":{"model":"models/r","contents":[]}}'
    body = COUNT.in_path.place("/v1beta/models/r:countTokens", inner)
    sent = json.loads(COUNT.with_model(body, COUNT.peek(body), "t", add_usage=False))
    assert sent == {"generateContentRequest": {"model": "models/t", "contents": []}}


def test_what_counting_and_embedding_answer():
    assert COUNT.usage(b'{"totalTokens": 7}').input == 0
    assert json.loads(COUNT.estimate(b"x" * 40)) == {"totalTokens": 10}
    assert EMBED.usage(b'{"embedding": {"values": [1.0]}}') is None
    assert EMBED.usage(b'{"embeddings": [], "usageMetadata": {"promptTokenCount": 3}}').input == 3
