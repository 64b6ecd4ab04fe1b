"""Input files as what they hold; nothing is guessed."""

from __future__ import annotations

import json

import pytest

from freehold.batches.reading import read
from tests.batches.conftest import line

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
