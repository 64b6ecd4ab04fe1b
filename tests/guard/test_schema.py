from __future__ import annotations

import json

import pytest

from freehold.guard.detectors.schema import Schema
from freehold.guard.errors import BadProfile

ORDER = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "pattern": "^[a-z]+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1},
    },
    "patternProperties": {"^x_": {"type": "integer"}},
    "required": ["items"],
    "$defs": {"item": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}},
}


def faults(answer, schema=ORDER):
    return Schema(json.dumps(schema)).faults(answer if isinstance(answer, str) else json.dumps(answer))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"items": [{"price": 2}]}, ()),
        ({"items": [{"price": "2"}]}, ("$.items[0].price: type",)),
        ({}, ("$: required",)),
        ({"items": [{"price": 1}], "pattern": "A"}, ("$.pattern: pattern",)),
        ({"items": [{"price": 1}], "x_a": "b"}, ("$.x_a: type",)),
        ("Here you are: {}", ("$: json",)),
        ('{"items": [{"price": NaN}]}', ("$: json",)),
        ("[" * 100 + "]" * 100, ("$: depth",)),
        ("[" * 100_000, ("$: json",)),
    ],
)
def test_faults_are_told_by_place_and_rule(answer, told):
    assert faults(answer) == told


def test_no_value_is_told():
    assert "secret" not in "".join(faults({"items": "secret", "pattern": "secret 1"}))


def test_no_more_faults_are_told_than_help():
    assert len(faults({"items": [{} for _ in range(100)]})) == 8


@pytest.mark.parametrize(
    "schema",
    ["{", "[]", '{"type": "nonsense"}', '{"$ref": "http://127.0.0.1:9/x"}', '{"pattern": "(?=a)"}',
     '{"patternProperties": {"(a)\\\\1": {}}}', '{"properties": {"a": {"$ref": "other.json"}}}'],
)  # fmt: skip
def test_what_is_no_schema_or_leaves_itself_is_refused(schema):
    with pytest.raises(BadProfile):
        Schema(schema)


def test_patterns_run_in_linear_time():
    assert Schema('{"type": "string", "pattern": "^(a+)+$"}').faults(json.dumps("a" * 5000 + "b")) == ("$: pattern",)


def test_a_schema_without_an_end_is_no_end_of_us():
    assert faults({}, {"$ref": "#"}) == ("$: depth",)


@pytest.mark.parametrize(("schema", "told"), [("true", ()), ("false", ("$: false",))])
def test_schemas_that_allow_all_or_nothing(schema, told):
    assert Schema(schema).faults("{}") == told
