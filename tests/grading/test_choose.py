"""The grader that is proposed for answers of a shape."""

from __future__ import annotations

import json

import msgspec
import pytest

from freehold.grading.choose import spec_for
from freehold.grading.types import Answer, Spec, ToolCall


class Seen(msgspec.Struct, frozen=True):
    answer: Answer
    schema: dict | None = None


def proposed(*texts, schema=None):
    return spec_for(Seen(Answer(text=one), schema) for one in texts)


PROSE = "because of many things that take a while to say " * 6


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["refund", "refund", "Card lost", "card lost", "refund"], Spec("label")),
        (["12", "$3.50", "1,000"], Spec("number")),
        ([f"So it is \\boxed{{{n}}}. {PROSE}" for n in range(4)], Spec("number")),
        (["SELECT a FROM b", "```sql\nselect c from d\n```"], Spec("sql")),
        ([f"{PROSE} number {n}, and more" for n in range(9)], Spec("edit_distance")),
        ([json.dumps({"reasoning": PROSE, "answer": str(n)}) for n in range(5)], Spec("number", {"field": "answer"})),
        (
            [json.dumps({"shop": "A", "total": "1.50", "date": "2024-01-02"})] * 3,
            Spec("json_fields", {"numbers": ["total"], "dates": ["date"]}),
        ),
        (
            [json.dumps({"summary": PROSE, "kind": "x", "city": "Rome"})] * 3,
            Spec("json_fields", {"fields": ["city", "kind"]}),
        ),
        ([], Spec("edit_distance")),
    ],
)
def test_the_shape_of_answers_names_the_grader(texts, wanted):
    assert proposed(*texts) == wanted


def test_tool_calls_are_compared_as_such():
    one = Seen(Answer(tool_calls=(ToolCall("f", "{}"),)))
    assert spec_for([one, one, Seen(Answer(text="none fits"))]) == Spec("tool_call")


def test_a_schema_that_all_requests_share_counts():
    schema = {"type": "object"}
    assert proposed('{"a": "b"}', '{"a": "c"}', schema=schema).options["schema"] == schema
    mixed = spec_for([Seen(Answer(text='{"a": "b"}'), schema), Seen(Answer(text='{"a": "c"}'))])
    assert "schema" not in mixed.options


def test_refusals_and_empty_answers_are_not_looked_at():
    refused = Seen(Answer(text="I cannot help with that. " * 9, refusal=True))
    assert spec_for([refused, Seen(Answer()), Seen(Answer(text="a")), Seen(Answer(text="a"))]) == Spec("label")
