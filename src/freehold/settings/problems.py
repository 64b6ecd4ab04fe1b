"""What is wrong with a configuration: every problem with its place, its nearest right spelling and its fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from freehold.core.errors import BadConfig
from freehold.settings.errors import (
    BadInterpolation,
    BadSetting,
    DanglingName,
    MissingSetting,
    PlainSecret,
    UnknownSetting,
    UnsafeUrl,
)
from freehold.settings.places import Path

KINDS: tuple[tuple[str, type[BadConfig]], ...] = (
    ("dangling", DanglingName),
    ("extra_forbidden", UnknownSetting),
    ("interpolation", BadInterpolation),
    ("missing", MissingSetting),
    ("plain_secret", PlainSecret),
    ("unsafe_url", UnsafeUrl),
)


_WORDS = (
    ("bool_type", "should be true or false, without quotes"),
    ("date_from_datetime_parsing", "should be a date such as 2026-11-22, without quotes"),
    ("decimal_parsing", "should be a number"),
    ("dict_type", "should be a table"),
    ("int_type", "should be a whole number, without quotes"),
    ("model_type", "should be a table"),
    ("tuple_type", 'should be a list such as ["a", "b"]'),
)
"""What pydantic says in Python's words, in TOML's."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong, as people read it."""

    code: str
    message: str
    where: str
    """`freehold.toml:7`, or the variable that holds the value."""
    remark: str
    fix: str

    def __str__(self) -> str:
        place = f"\n  {self.where}   {self.remark}".rstrip()
        return f"error[{self.code}] {self.message}{place}\n  fix   {self.fix}"


class InvalidConfig(BadConfig):
    """The configuration has problems; all of them are listed."""

    code = "FH-CFG-002"
    hint_text = "mend them, then: freehold config check"

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> InvalidConfig:
        """The error that lists them."""
        found = tuple(problems)
        made = cls(f"the configuration has {len(found)} problem{'s' if len(found) != 1 else ''}")
        made.problems = found
        return made

    def as_dict(self) -> dict[str, object]:
        """As the base class, with the list of problems."""
        return super().as_dict() | {"problems": [msgspec.to_builtins(one) for one in self.problems]}

    def __str__(self) -> str:
        return "\n\n".join(str(one) for one in self.problems) or self.message


class Finding(msgspec.Struct, frozen=True):
    """A problem before it has a place: which kind, at which path of the data, in what words."""

    kind: type[BadConfig]
    path: Path
    message: str
    remark: str = ""
    fix: str = ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or nothing where no known name is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def of_validation(error: ErrorDetails, data: Mapping[str, Any], tree: type[BaseModel]) -> Finding:
    """One error of pydantic's as a finding about the data as written."""
    kind = dict(KINDS).get(error["type"], BadSetting)
    path = _in_data(error["loc"], data, missing=kind is MissingSetting)
    table = _table(path[:-1])
    name = str(path[-1]) if path else "the file"
    if kind is UnknownSetting:
        what = f'unknown key "{name}" in {table}' if len(path) > 1 else f"unknown table [{name}]"
        return Finding(kind, path, what, suggestion(name, _keys(error["loc"][:-1], tree)))
    if kind is MissingSetting:
        fix = f'add it ("{name}": {_meaning(error["loc"], tree)}), then: freehold config check'
        return Finding(kind, path[:-1], f'{table} lacks "{name}"', fix=fix)
    message = dict(_WORDS).get(error["type"]) or error["msg"][0].lower() + error["msg"][1:]
    return Finding(kind, path, f'"{name}" in {table}: {message}' if len(path) > 1 else f"[{name}]: {message}")


def _in_data(loc: tuple[int | str, ...], data: Any, *, missing: bool) -> Path:
    """The part of pydantic's location that exists in the data (it also names branches of unions)."""
    path: Path = ()
    for depth, step in enumerate(loc):
        if _holds(data, step):
            data = data[step]
        elif not (missing and depth == len(loc) - 1):
            continue
        path = (*path, step)
    return path


def _holds(data: Any, step: int | str) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


def _table(path: Path) -> str:
    if not path:
        return "the file"
    text = ".".join(one for one in path if isinstance(one, str))
    return f"[[{text}]]" if isinstance(path[-1], int) else f"[{text}]"


def _keys(loc: tuple[int | str, ...], tree: type[BaseModel]) -> list[str]:
    """The keys that would have been known at a location."""
    return list(_form(loc, tree))


def _meaning(loc: tuple[int | str, ...], tree: type[BaseModel]) -> str:
    """What the settings reference says of a key."""
    found = _form(loc[:-1], tree).get(str(loc[-1]), {})
    return str(found.get("description", "")).rstrip(".")


def _form(loc: tuple[int | str, ...], tree: type[BaseModel]) -> dict[str, Any]:
    """The keys known at a location, each with its schema."""
    schema = tree.model_json_schema()
    node: dict[str, Any] = schema
    for step in loc:
        node = _resolved(node, schema)
        if isinstance(step, str) and step in node.get("properties", {}):
            node = node["properties"][step]
        elif "additionalProperties" in node and isinstance(node["additionalProperties"], dict):
            node = node["additionalProperties"]
        elif "items" in node:
            node = node["items"]
    found: dict[str, Any] = _resolved(node, schema).get("properties", {})
    return found


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for one in node.get("anyOf", ()):
        if "$ref" in one or one.get("type") == "object":
            node = one
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node
