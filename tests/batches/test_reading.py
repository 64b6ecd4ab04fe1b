"""Input files and forms as what they hold; nothing is guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.batches.multipart import Part, parts_of
from freehold.batches.reading import read
from freehold.core.errors import BadRequest, WrongContentType
from tests.batches.conftest import FORM, form, line

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "invalid_json_line"),
        (b"\xff", "invalid_json_line"),
        (b"[1]", "invalid_request"),
        (b'{"custom_id":"a"}', "invalid_request"),
        (line(1).replace(b'"c1"', b'""'), "invalid_custom_id"),
        (line(1).replace(b'"c1"', b"1"), "invalid_request"),
        (line(1).replace(b"POST", b"GET"), "invalid_method"),
        (line(1, url="/v1/embeddings"), "mismatched_endpoint"),
        (line(1, stream=True), "invalid_request"),
        (line(1).replace(b'"gpt"', b"null"), "invalid_request"),
        (b'{"custom_id":"a","url":"/v1/chat/completions","body":' + b"[" * 100_000 + b"}", "invalid_json_line"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(raw, code):
    found = read(b"\n" + line(7) + b"\n" + raw, CHAT, 10)
    assert [(one.line, one.code) for one in found.problems] == [(3, code)]


def test_problems_quote_no_content():
    secret = json.dumps({"custom_id": "my secret", "url": "my secret", "method": "my secret", "body": {"model": 1}})
    found = read(b"\n".join([secret.encode(), secret.replace('"model": 1', '"model": "my secret"').encode()]), CHAT, 10)
    assert len(found.problems) == 2
    assert not any("secret" in one.message for one in found.problems)


def test_a_file_is_neither_empty_nor_too_long():
    assert [one.code for one in read(b"\n \n", CHAT, 10).problems] == ["empty_file"]
    found = read(b"\n".join(line(number) for number in range(3)), CHAT, 2)
    assert [(one.line, one.code) for one in found.problems] == [(3, "too_many_tasks")]


def test_the_model_is_told_where_all_lines_have_the_same():
    assert read(line(1) + b"\n" + line(2), CHAT, 10).model == "gpt"
    assert read(line(1) + b"\n" + line(2).replace(b'"gpt"', b'"x"'), CHAT, 10).model == ""


@settings(max_examples=60)
@given(
    data=st.binary(max_size=200).filter(lambda one: b"\r\n--x-x" not in one),
    fields=st.dictionaries(st.text("abc[]", min_size=1, max_size=5), st.text("abc \n", max_size=5), max_size=3),
)
def test_a_form_is_read_as_it_was_written(data, fields):
    fields.pop("file", None)
    found = parts_of(FORM, form(data, **fields))
    assert found == [*(Part(k, None, v.encode()) for k, v in fields.items()), Part("file", "in.jsonl", data)]


@settings(max_examples=60)
@given(cut=st.integers(1, 150))
def test_a_form_that_was_cut_is_refused(cut):
    whole = form(b"some data", purpose="batch").rstrip()
    with pytest.raises(BadRequest):
        parts_of(FORM, whole[: -min(cut, len(whole))].removesuffix(b"--"))


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="])
def test_a_body_that_is_no_form_is_refused(kind):
    with pytest.raises(WrongContentType):
        parts_of(kind, form(b"x"))


def test_names_in_a_form_may_be_quoted_and_in_utf8():
    body = form(b"x", filename='a\\"ü.jsonl')
    assert parts_of("multipart/form-data; charset=utf-8; boundary=x-x", body)[0].filename == 'a"ü.jsonl'
