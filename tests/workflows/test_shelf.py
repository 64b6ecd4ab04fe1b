from __future__ import annotations

import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.db import reading, writing
from freehold.core.errors import FileRefused, NotFound
from freehold.grading.types import Answer, ToolCall
from freehold.ledger import capture
from freehold.ledger.meter import Usage
from freehold.workflows import store
from freehold.workflows.exchange import answer_of, exchange
from freehold.workflows.records import Record
from freehold.workflows.store import Which
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

START = 1_760_000_000.0


def record(number: int, **changes: object) -> Record:
    at = START + number
    base = {
        "id": (int(at * 1000) << 80 | number).to_bytes(16, "big"),
        "at": at,
        "source": "har",
        "model": "gpt-4o",
        "usage": Usage(10, 5),
        "request": json.dumps({"messages": [{"role": "user", "content": f"question {number}"}]}).encode(),
        "response": json.dumps({"choices": [{"message": {"role": "assistant", "content": "yes"}}]}).encode(),
    }
    return Record(**{**base, **changes})


def test_what_is_put_comes_back_in_order_of_time(instance):
    put = [record(number) for number in (3, 1, 2)]
    assert instance.shelf.put(put, START, 100.0) == 3
    assert list(instance.shelf.records(Which())) == sorted(put, key=lambda one: one.id)
    assert instance.shelf.one(put[0].id) == put[0]


def test_more_than_a_page_is_read_to_the_end(instance):
    put = [record(number) for number in range(1203)]
    instance.shelf.put(put, START, 100.0)
    assert [one.id for one in instance.shelf.records(Which())] == [one.id for one in put]


def test_putting_again_adds_and_changes_nothing(instance):
    instance.shelf.put([record(1)], START, 100.0)
    assert instance.shelf.put([record(1, model="other"), record(2), record(2)], START, 100.0) == 1
    assert [one.model for one in instance.shelf.records(Which())] == ["gpt-4o", "gpt-4o"]


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (Which(source="live"), [2]),
        (Which(since=START + 2), [2, 3, 4]),
        (Which(until=START + 2), [0, 1]),
        (Which(answered=True), [0, 1, 2]),
        (Which(workflow="wf_a"), [0, 4]),
        (Which(unassigned=True), [1, 2, 3]),
        (Which(ids=(record(1).id, record(4).id)), [1, 4]),
    ],
)
def test_records_are_found_by_what_they_are(instance, which, numbers):
    changes = {2: {"source": "live"}, 3: {"response": b""}, 4: {"status": 500}}
    put = [record(number, **changes.get(number, {})) for number in range(5)]
    instance.shelf.put(put, START, 100.0)
    with writing(instance.engine) as connection:
        store.assign(connection, [(put[0].id, "wf_a"), (put[4].id, "wf_a")])
    assert [int(one.at - START) for one in instance.shelf.records(which)] == numbers
    assert instance.shelf.count(which) == len(numbers)


def test_erased_content_is_not_read_but_its_row_still_counts(instance):
    instance.shelf.put([record(1), record(2)], START, 100.0)
    capture.erase_call(instance.engine, instance.bodies, record(1).id, "asked for", START)
    assert [one.id for one in instance.shelf.records(Which())] == [record(2).id]
    assert instance.shelf.count(Which()) == 2
    with pytest.raises(NotFound):
        instance.shelf.one(record(1).id)
    assert instance.shelf.put([record(1)], START, 100.0) == 0  # and importing it again does not bring it back
    with pytest.raises(NotFound):
        instance.shelf.one(record(1).id)


def test_retention_ends_for_records_too(instance):
    instance.shelf.put([record(1)], START, 100.0)
    assert capture.expire(instance.engine, instance.bodies, START + 100) == 1
    assert list(instance.shelf.records(Which())) == []


def test_content_on_disk_is_sealed(instance):
    instance.shelf.put([record(1)], START, 100.0)
    files = [one for one in (instance.path / "bodies").rglob("*") if one.is_file() and one.name != "lock"]
    assert len(files) == 1 and b"question" not in files[0].read_bytes()
    assert files[0].stat().st_mode & 0o077 == 0
    instance.engine.dispose()
    for one in instance.path.glob("freehold.db*"):
        assert b"question" not in one.read_bytes()


def test_a_full_disk_leaves_no_row_and_putting_again_completes(instance, monkeypatch):
    real = capture._write_unflushed
    left = [3]

    def full(path, data):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        left[0] -= 1
        real(path, data)

    put = [record(number) for number in range(6)]
    monkeypatch.setattr(capture, "_write_unflushed", full)
    with pytest.raises(FileRefused, match="No space left"):
        instance.shelf.put(put, START, 100.0)
    assert instance.shelf.count(Which()) == 0
    monkeypatch.setattr(capture, "_write_unflushed", real)
    assert instance.shelf.put(put, START, 100.0) == 6
    assert len(list(instance.shelf.records(Which()))) == 6


def test_counts_are_by_workflow(instance):
    instance.shelf.put([record(number) for number in range(3)], START, 100.0)
    with writing(instance.engine) as connection:
        store.assign(connection, [(record(0).id, "wf_a")])
        assert store.counts(connection) == {"": 2, "wf_a": 1}


def test_imports_are_listed_newest_first_and_written_over(instance):
    rows = [store.ImportRow(id=bytes([number]) * 16, started=START, label="internal") for number in (1, 2)]
    with writing(instance.engine) as connection:
        for one in rows:
            store.keep_import(connection, one)
        store.keep_import(connection, store.ImportRow(id=rows[0].id, started=START, ended=START, label="x", new=5))
    with reading(instance.engine) as connection:
        assert [(one.id[0], one.new) for one in store.list_imports(connection)] == [(2, 0), (1, 5)]


REQUEST = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Very."}]},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "find", "arguments": '{"a":1}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "found"},
    ],
    "tools": [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}},
}


def test_an_exchange_says_what_the_record_holds():
    said = exchange(record(1, request=json.dumps(REQUEST).encode()))
    assert said.system == "Be brief.\nVery."
    assert said.turns == (("user", "look"), ("assistant", 'find({"a":1})'), ("tool", "found"))
    assert said.tools == ("find",)
    assert said.tool_schemas == {"find": {"type": "object"}}
    assert said.schema == {"type": "array"}
    assert said.answer == Answer(text="yes")


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        ({"message": {"content": None, "refusal": "no"}}, Answer(text="no", refusal=True)),
        ({"message": {"content": "x"}, "finish_reason": "length"}, Answer(text="x", finish="length")),
        (
            {"message": {"content": ""}, "finish_reason": "content_filter"},
            Answer(refusal=True, finish="content_filter"),
        ),
        ({"message": {"content": "x"}, "freehold": {"confidence": 0.97}}, Answer(text="x", confidence=0.97)),
        (
            {"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}},
            Answer(tool_calls=(ToolCall("f", '{"a":1}'),)),
        ),
        ({"message": {"function_call": {"name": "f", "arguments": "{}"}}}, Answer(tool_calls=(ToolCall("f", "{}"),))),
    ],
)
def test_answers_are_read(choice, answer):
    assert answer_of(json.dumps({"choices": [choice]}).encode()) == answer


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "choices", "message", "tools", "function", "text", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_content_makes_reading_fail(value):
    data = json.dumps(value).encode()
    exchange(record(1, request=data, response=data))
    exchange(record(1, request=data[:-1], response=data[1:]))
