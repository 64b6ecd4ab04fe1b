"""What an answer means for a line."""

from __future__ import annotations

import json

import pytest

from freehold.batches.asking import KeyEnded, Later, outcome_of
from freehold.batches.types import Tokens
from tests.batches.conftest import heard


@pytest.mark.parametrize(
    ("status", "code", "counts"),
    [
        (429, "FH-LIM-002", False),
        (429, "FH-UP-006", False),
        (429, "", False),
        (503, "FH-AVA-001", False),
        (503, "FH-AVA-032", False),
        (401, "FH-KEY-002", False),
        (401, "", False),
        (500, "FH-INT-001", True),
        (502, "FH-UP-002", True),
        (504, "", True),
    ],
)
def test_what_may_pass_is_asked_again(status, code, counts):
    with pytest.raises(Later) as later:
        outcome_of(heard(status, {"error": {}}, **{"x-freehold-error": code}))
    assert later.value.counts is counts
    assert later.value.last.status == status


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "FH-REQ-001"),
        (403, "FH-POL-002"),
        (404, "FH-NOT-002"),
        (429, "FH-LIM-004"),
        (503, "FH-AVA-006"),
        (413, ""),
    ],
)
def test_what_will_not_pass_ends_the_line(status, code):
    found = outcome_of(heard(status, {"error": {"code": code}}, **{"x-freehold-error": code}))
    assert (found.status, found.good) == (status, False)
    assert json.loads(bytes(found.body)) == {"error": {"code": code}}


@pytest.mark.parametrize("code", ["FH-KEY-003", "FH-KEY-004"])
def test_a_key_that_ended_ends_the_batch(code):
    with pytest.raises(KeyEnded):
        outcome_of(heard(401, {}, **{"x-freehold-error": code}))


@pytest.mark.parametrize(("told", "waits"), [("7", 7.0), ("9999", 60.0), ("-1", 0.0), ("soon", 2.0)])
def test_who_is_told_to_wait_waits_within_bounds(told, waits):
    with pytest.raises(Later) as later:
        outcome_of(heard(429, {}, **{"retry-after": told}))
    assert later.value.seconds == waits


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Tokens(9, 4, 2, 1),
        ),
        ({"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2}}, Tokens(9, 4, 2, 0)),
        ({"input_tokens": 7, "output_tokens": 4, "cache_read_input_tokens": 2}, Tokens(9, 4, 2, 0)),
        ({"prompt_tokens": 9, "total_tokens": 9}, Tokens(9, 0, 0, 0)),
        (None, Tokens()),
        ("odd", Tokens()),
        ({"prompt_tokens": "odd"}, Tokens()),
    ],
)
def test_usage_is_read_in_every_dialect(usage, tokens):
    assert outcome_of(heard(200, {"usage": usage})).usage == tokens
