"""Does an answer follow a JSON schema? For answers that programs read: judged whole, when the answer is complete.

A schema reaches nothing but itself: references that leave it are refused, and its patterns run on RE2, in linear time.
What is wrong is told by place and rule, never by the value that stands there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from freehold.guard.errors import BadProfile

_MOST = 8
"""Faults that are told."""
_DEPTH = 64
"""Deepest nesting of an answer that is looked into."""


class Schema:
    """One compiled schema; immutable, shared by calls."""

    def __init__(self, text: str | bytes) -> None:
        """Raises BadProfile where it is no JSON schema, leaves itself, or has a pattern RE2 does not know."""
        try:
            schema = json.loads(text)
            self._validator = _validator(schema)
        except (ValueError, RecursionError):
            raise BadProfile("the schema is not JSON, or too deep", hint="give a JSON schema") from None

    def faults(self, answer: str) -> tuple[str, ...]:
        """What does not follow, such as `$.items[2].price: type`; empty where all does. `$: json` where it is none."""
        try:
            value = json.loads(answer, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return ("$: json",)
        if _deep(value, _DEPTH):
            return ("$: depth",)
        try:
            errors = islice(self._validator.iter_errors(value), _MOST)
            return tuple(f"{error.json_path}: {error.validator or 'false'}" for error in errors)
        except RecursionError:  # a schema that refers to itself without an end
            return ("$: depth",)


def _validator(schema: Any) -> Any:
    import jsonschema
    import referencing

    if not isinstance(schema, dict | bool):
        raise BadProfile("the schema is neither an object nor true or false", hint="give a JSON schema")
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise BadProfile(f"no JSON schema: {error.json_path}: {error.message[:200]}") from None
    for reference in _under(schema, "$ref", "$dynamicRef"):
        if isinstance(reference, str) and not reference.startswith("#"):
            raise BadProfile("the schema refers to another", hint="put what it refers to under $defs")
    for pattern in _under(schema, "pattern"):
        if isinstance(pattern, str):  # else it is a property of that name
            _compiled(pattern)
    for patterns in _under(schema, "patternProperties"):
        for pattern in patterns if isinstance(patterns, Mapping) else ():
            _compiled(pattern)
    linear = jsonschema.validators.extend(kind, {"pattern": _pattern, "patternProperties": _pattern_properties})
    return linear(schema, registry=referencing.Registry())


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    import jsonschema

    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield jsonschema.ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for pattern, inner in patterns.items():
            search = _compiled(pattern).search
            for name in value:
                if search(name):
                    yield from validator.descend(value[name], inner, path=name, schema_path=pattern)


def _compiled(pattern: object) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(str(pattern), options)
    except re2.error:
        raise BadProfile("the schema has a pattern that RE2 does not know", hint="do without look-around") from None


def _under(schema: Any, *names: str) -> Iterator[Any]:
    """Every value that stands under one of the names, anywhere."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name in names:
                yield value
            yield from _under(value, *names)
    elif isinstance(schema, list):
        for value in schema:
            yield from _under(value, *names)


def _deep(value: Any, left: int) -> bool:
    if left == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_deep(one, left - 1) for one in inner)


def _no_constant(name: str) -> float:
    raise ValueError(name)
