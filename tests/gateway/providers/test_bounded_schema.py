"""Bounds are added where there were none, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.providers.bounded_schema import MAX_CHARACTERS, MAX_ITEMS, bounded


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "string"}, {"type": "string", "maxLength": MAX_CHARACTERS}),
        ({"type": "string", "minLength": 900}, {"type": "string", "minLength": 900, "maxLength": 900}),
        ({"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 3}),
        ({"enum": ["a"], "type": "string"}, {"enum": ["a"], "type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^a$"}, {"type": "string", "pattern": "^a$"}),
        ({"type": "string", "pattern": "a"}, {"type": "string", "maxLength": MAX_CHARACTERS}),
        ({"type": "integer"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": MAX_CHARACTERS}),
        (
            {"type": "array", "items": {"type": "integer"}},
            {"type": "array", "items": {"type": "integer"}, "maxItems": MAX_ITEMS},
        ),
        ({"type": "object", "properties": {}}, {"type": "object", "properties": {}, "additionalProperties": False}),
        (True, True),
    ],
)
def test_bounds(schema, told):
    assert bounded(schema) == told


def test_references_move_and_every_depth_is_reached():
    schema = {
        "properties": {"one": {"$ref": "#/$defs/Deep"}, "self": {"$ref": "#"}},
        "$defs": {"Deep": {"anyOf": [{"type": "array", "items": {"type": "string"}}]}},
    }
    moved = bounded(schema, "#/$defs/tool_0")
    assert moved["properties"]["one"] == {"$ref": "#/$defs/tool_0/$defs/Deep"}
    assert moved["properties"]["self"] == {"$ref": "#/$defs/tool_0"}
    deep = moved["$defs"]["Deep"]["anyOf"][0]
    assert deep["maxItems"] == MAX_ITEMS
    assert deep["items"]["maxLength"] == MAX_CHARACTERS


def test_a_property_called_like_a_keyword_is_a_property():
    schema = {"type": "object", "properties": {"pattern": {"type": "string"}, "type": {"type": "integer"}}}
    assert set(bounded(schema)["properties"]) == {"pattern", "type"}


SCHEMAS = st.recursive(
    st.sampled_from([{"type": "string"}, {"type": "integer"}, {"enum": [1, "a"]}, {"const": None}, {}]),
    lambda inner: st.one_of(
        inner.map(lambda one: {"type": "array", "items": one}),
        st.dictionaries(st.sampled_from("abc"), inner).map(lambda one: {"type": "object", "properties": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda one: {"anyOf": one}),
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_bounding_twice_is_bounding_once(schema):
    once = bounded(schema)
    assert bounded(once) == once
