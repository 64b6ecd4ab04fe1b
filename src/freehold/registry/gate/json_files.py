"""JSON: configurations, tokenizers and indexes; what in them runs code, reaches for other files or renders templates.

Invariant: what two parsers might read differently (a key twice, a number without end) is never allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate import keras_config, targets, templates
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.naming import quoted, unsafe
from freehold.registry.gate.types import Format, Reason, Source, Walk

DEEPEST = 64
_AFTER = b'"{[}]-0123456789tfn'
"""What may stand behind the first bracket."""
_NOT_JSON = (".j2", ".jinja", ".jinja2", ".py", ".pyi", ".pyw")
_LINES = (".jsonl", ".ndjson")
_LIBRARIES = ("peft", "transformers")
_LOADS_CODE = ("trust_remote_code", "use_remote_code")


class _Twice(dict[str, Any]):
    """An object that named a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


def _number(text: str) -> float:
    raise Malformed(f"{text} is no number of JSON")


def strict(data: bytes) -> Any:
    """The value; a key that stands twice anywhere raises Malformed, as does what is no JSON."""
    found = _parsed(data)
    if any(isinstance(one, _Twice) for one in _objects(found, 0)):
        raise Malformed("a key that stands twice")
    return found


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_number)
    except (UnicodeDecodeError, RecursionError, ValueError) as broken:
        raise Malformed(f"no JSON: {quoted(str(broken), 80)}") from None


def _objects(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Every object, however deep; iterative, so that depth costs no stack."""
    waiting = [(value, depth)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEPEST:
            raise Malformed(f"nested more than {DEEPEST} deep")
        if isinstance(one, dict):
            yield one
            waiting.extend((each, depth + 1) for each in one.values() if isinstance(each, dict | list))
        elif isinstance(one, list):
            waiting.extend((each, depth + 1) for each in one if isinstance(each, dict | list))


def known(source: Source) -> bool:
    """An object or a list of JSON. Whether all of it is, `look` finds out."""
    head = bytes(source.data[:64]).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] not in (b"{", b"["):
        return False
    if head[:2] in (b"{%", b"{{", b"{#") or source.name.lower().endswith(_NOT_JSON):  # a template, or a program
        return False
    after = head[1:].lstrip()[:1]
    return source.name.lower().endswith(".json") or (after != b"" and after in _AFTER)


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Raises Malformed for what is no JSON."""
    data = bytes(source.data).removeprefix(b"\xef\xbb\xbf")
    if source.name.lower().endswith(_LINES):
        for line in data.splitlines():
            if line.strip():
                yield from _document(line, source, walk)
    else:
        yield from _document(data, source, walk)


def _document(data: bytes, source: Source, walk: Walk) -> Iterator[Reason]:
    value = _parsed(data)
    if source.name.lower().endswith(".ipynb"):
        yield Reason("review", "python.code", source.name, "is a notebook: code")
    for one in _objects(value, 0):
        if isinstance(one, _Twice):
            yield Reason("block", "json.twice", source.name, "a key stands twice: readers differ in which one counts")
        yield from _object_reasons(one, source.name, walk)
    if any(keras_config.looks(one) for one in _objects(value, 0)):
        yield from keras_config.reasons(value, source.name)


def _object_reasons(one: dict[str, Any], where: str, walk: Walk) -> Iterator[Reason]:
    if one.get("auto_map"):
        said = f"runs code of a repository: {quoted(json.dumps(one['auto_map']), 160)}"
        yield Reason("review", "json.auto_map", where, said)
    mapping = one.get("auto_mapping")
    if isinstance(mapping, dict) and mapping:
        library = str(mapping.get("parent_library", ""))
        if library.split(".", maxsplit=1)[0] not in _LIBRARIES:
            yield Reason("review", "json.auto_mapping", where, f"takes a class out of {quoted(library, 60)}")
    for name in _LOADS_CODE:
        if one.get(name) not in (None, False, 0, ""):
            yield Reason("review", "json.remote_code", where, f"{name} is on")
    yield from targets.imports(one, where)
    files = one.get("weight_map")
    if isinstance(files, dict):
        for each in sorted({str(file) for file in files.values()}):
            for reason in unsafe(each, where):
                yield Reason(reason.verdict, reason.code, where, f"weights in {quoted(each, 80)}: {reason.said}")
    for key in ("chat_template", "default_chat_template"):
        yield from _templates(one.get(key), where, walk)


def _templates(found: Any, where: str, walk: Walk) -> Iterator[Reason]:
    if isinstance(found, str):
        yield from templates.reasons(found, where)
    elif isinstance(found, dict):
        for each in found.values():
            yield from _templates(each, where, walk)
    elif isinstance(found, list):
        for each in found:
            yield from _templates(each.get("template") if isinstance(each, dict) else each, where, walk)


FORMAT = Format("json", known, look)
