"""JSON fields: the share of fields that are right, and which are not."""

from __future__ import annotations

from typing import Any

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.json_text import MISSING, json_of
from freehold.grading.types import Answer, Grade
from freehold.grading.values import Likeness

_SHOWN = 5


class JsonFields:
    """One object against another, field by field; nested ones by path.

    Options: `fields` (only these paths count, such as `total` or `vendor.name`), `ignore` (these do not),
    `all_or_nothing` (a half-right object scores 0; false), `numbers` (paths compared as numbers), `dates` (paths
    compared as dates), `day_first` (true), `ordered` (the order of lists counts, true), `case` (false),
    `schema` (a JSON schema: an answer that breaks it scores 0), `extra` (fields nobody asked for count, true).
    """

    name = "json_fields"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """The share of right fields, in [0, 1]. Raises GraderFailed."""
        read.known(options, _OPTIONS)
        wanted = json_of(reference.text)
        if not isinstance(wanted, dict):
            raise GraderFailed("the reference is no JSON object")
        given = json_of(answer.text)
        if not isinstance(given, dict):
            return Grade(0.0, "not a JSON object")
        schema = read.mapping(options, "schema")
        if schema and (broken := _breaks(given, schema)):
            return Grade(0.0, broken)
        wanted_fields, given_fields = _flat(wanted, options), _flat(given, options)
        if not wanted_fields:
            raise GraderFailed("the reference has none of the fields that count")
        names = set(wanted_fields) | (set(given_fields) if read.flag(options, "extra", True) else set())
        wrong = sorted(name for name in names if not _same(name, given_fields, wanted_fields, options))
        score = 1.0 - len(wrong) / len(names)
        if read.flag(options, "all_or_nothing", False) and wrong:
            score = 0.0
        return Grade(score, "" if not wrong else f"wrong: {', '.join(wrong[:_SHOWN])}")

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True where every field that counts is equal."""
        return by_score(self, one, other, options)


_OPTIONS = (
    "all_or_nothing",
    "case",
    "dates",
    "day_first",
    "extra",
    "fields",
    "ignore",
    "numbers",
    "ordered",
    "schema",
)


def _flat(value: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Leaves by path; lists are leaves."""
    only, without = read.texts(options, "fields"), read.texts(options, "ignore")
    found: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", value)]
    while stack:
        path, node = stack.pop()
        for key, one in node.items():
            name = f"{path}.{key}" if path else key
            if isinstance(one, dict) and one:
                stack.append((name, one))
            elif _counts(name, only, without):
                found[name] = one
    return found


def _counts(name: str, only: tuple[str, ...], without: tuple[str, ...]) -> bool:
    def under(paths: tuple[str, ...]) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in paths)

    return (not only or under(only)) and not under(without)


def _same(name: str, given: dict[str, Any], wanted: dict[str, Any], options: dict[str, Any]) -> bool:
    likeness = Likeness(
        text="spaced" if read.flag(options, "case", False) else "folded",
        coerce=name in read.texts(options, "numbers"),
        dates=name in read.texts(options, "dates"),
        day_first=read.flag(options, "day_first", True),
        ordered=read.flag(options, "ordered", True),
    )
    one, other = given.get(name, MISSING), wanted.get(name, MISSING)
    return one is not MISSING and other is not MISSING and likeness.same(one, other)


def _breaks(value: Any, schema: dict[str, Any]) -> str:
    """What of the schema is broken; empty where nothing is. Raises GraderFailed where the schema is none."""
    import jsonschema

    try:
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        kind.check_schema(schema)
        found = next(iter(kind(schema).iter_errors(value)), None)
    except (jsonschema.SchemaError, jsonschema.exceptions._WrappedReferencingError) as error:  # noqa: SLF001  # its only name
        raise GraderFailed(f"the schema is none: {error.message}", param="schema") from None
    return "" if found is None else f"breaks the schema at {'.'.join(str(one) for one in found.path) or 'its root'}"
