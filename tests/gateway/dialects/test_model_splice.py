"""The model's name is replaced and nothing else moves, wherever else the word `model` may stand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.json_splice import members, with_model, with_usage_asked
from freehold.gateway.media import FORMS

CHAT = dialect("openai_chat")
keys = st.sampled_from(["messages", "tools", "x", "Model", "mode", "model ", "stream_option", "é"])
values = st.recursive(
    st.sampled_from(["model", '"model":"a"', "a", 1, None, True, {"model": "a"}, [{"model": "b"}], "stream_options"]),
    lambda one: st.lists(one, max_size=2) | st.dictionaries(keys, one, max_size=2),
    max_leaves=4,
)
spaces = st.sampled_from([b"", b" ", b"\n", b"\t ", b"\r\n"])
model_keys = st.sampled_from([b'"model"', b'"\\u006dodel"', b'"mod\\u0065l"', b'"m\\u006Fdel"'])
model_names = st.sampled_from(["a", "gpt-4o", "modèle", 'q"uote', "back\\slash", "line\nbreak", ""])


@st.composite
def bodies(draw) -> tuple[bytes, str]:
    """An object with a model somewhere, spelled and spaced in odd ways, now and then twice; and what it says last."""
    rows = [(json.dumps(key).encode(), value) for key, value in draw(st.dictionaries(keys, values, max_size=4)).items()]
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        rows.insert(draw(st.integers(0, len(rows))), (draw(model_keys), draw(model_names)))
    told = []
    for key, value in rows:
        text = json.dumps(value, ensure_ascii=draw(st.booleans())).encode()
        told.append(draw(spaces) + key + draw(spaces) + b":" + draw(spaces) + text + draw(spaces))
    body = draw(spaces) + b"{" + b",".join(told) + b"}" + draw(spaces)
    return body, json.loads(body)["model"]


@settings(max_examples=300, deadline=None)
@given(bodies(), model_names)
def test_every_reader_sees_the_new_model_and_all_else_unchanged(drawn, new):
    body, old = drawn
    sent = with_model(body, old, new)
    before, after = members(body), members(sent)
    assert json.loads(sent)["model"] == new
    assert {name: bytes(raw) for name, raw in after.items() if name != "model"} == {
        name: bytes(raw) for name, raw in before.items() if name != "model"
    }
    assert list(after) == list(before)
    pairs = json.loads(sent, object_pairs_hook=list)
    assert [value for key, value in pairs if key == "model"] == [new]  # also for who takes the first of two


@settings(max_examples=100, deadline=None)
@given(bodies(), model_names)
def test_a_body_that_says_model_once_keeps_every_other_byte(drawn, new):
    body, old = drawn
    if body.count(b'"model"') != 1 or b"\\u006" in body or json.dumps(old, ensure_ascii=False).encode() not in body:
        return
    sent = with_model(body, old, new)
    name = json.dumps(new, ensure_ascii=False).encode()
    at = sent.index(b'"model"') + 7
    start = sent.index(name, at)
    assert body == sent[:start] + json.dumps(old, ensure_ascii=False).encode() + sent[start + len(name) :]


@settings(max_examples=200, deadline=None)
@given(bodies(), st.sampled_from([None, {}, {"include_usage": False}, {"include_obfuscation": False}]), st.booleans())
def test_usage_is_asked_for_beside_the_callers_own_options(drawn, options, hidden):
    body, _ = drawn
    if options is not None or hidden:
        key = b'"stream\\u005foptions"' if hidden else b'"stream_options"'
        body = body.rstrip()[:-1] + b"," + key + b":" + json.dumps(options).encode() + b"}"
    sent = json.loads(with_usage_asked(body))
    assert sent["stream_options"] == {**(options or {}), "include_usage": True}
    expected = {**json.loads(body), "stream_options": sent["stream_options"]}
    assert sent == expected


IN_BODY = [one for one in DIALECTS if one.in_path is None and one.name not in FORMS]


@pytest.mark.parametrize("one", IN_BODY, ids=lambda one: one.name)
def test_each_dialect_splices_what_it_peeked(one):
    body = b'{"input": "x", "messages": [{"role": "user", "content": "\\"model\\""}], "max_tokens": 5, "model": "r"}'
    body = body[:-1] + b', "prompt": "p", "query": "q", "documents": ["d"]}'
    peek = one.peek(body)
    assert one.with_model(body, peek, "target", add_usage=False) == body.replace(b': "r"', b': "target"')


def test_chat_asks_for_usage_where_told_to():
    body = b'{"model":"r","messages":[],"stream":true}'
    sent = CHAT.with_model(body, CHAT.peek(body), "t", add_usage=True)
    assert sent == b'{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true}}'
