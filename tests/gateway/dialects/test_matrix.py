"""The support matrix in the docs is what the translation really does."""

from __future__ import annotations

import pytest

from tests.gateway.dialects import matrix

REQUESTS = [(table, row) for table in matrix.REQUESTS for row in table.rows]
ANSWERS = [(table, row) for table in matrix.ANSWERS for row in table.rows]


def name(value: object) -> str:
    return value.field if isinstance(value, matrix.Row) else value.target.name  # type: ignore[attr-defined]


@pytest.mark.parametrize(("table", "row"), REQUESTS, ids=name)
def test_a_request_field_called_kept_arrives(table, row):
    outcome, body = matrix.request_outcome(table, row)
    assert outcome != "kept" or matrix.seen(table, row) in body


@pytest.mark.parametrize(("table", "row"), ANSWERS, ids=name)
def test_an_answer_field_called_kept_arrives_whole_and_streamed(table, row):
    outcome, body, streamed = matrix.answer_outcome(table, row)
    seen = matrix.seen(table, row)
    assert outcome != "kept" or (seen in body and seen in streamed)


def test_the_page_is_what_the_code_does():
    told = matrix.PAGE.read_text(encoding="utf-8")
    assert told == matrix.page(), "write it again: python -m tests.gateway.dialects.matrix"
