from __future__ import annotations

import gzip
import json

import pytest
import zstandard

from freehold.core.db import reading
from freehold.ledger.audit.store import queued
from freehold.workflows import store
from freehold.workflows.store import Which
from tests.workflows.conftest import Instance
from tests.workflows.logs import AT, call, half, importing, jsonl, questions, rejects


def gz(data):
    return gzip.compress(data)


def zst(data):
    return zstandard.ZstdCompressor().compress(data)


def test_records_say_who_called_what_and_when(instance, log):
    line = call(1, latency_ms=250, metadata={"app": "shop", "workflow": "capitals"})
    report = importing(instance, log(jsonl(line)), label="confidential:GDPR", consent=True)
    (one,) = instance.shelf.records(Which())
    assert (one.at, one.source, one.external_id, one.app, one.workflow) == (
        AT + 1,
        "plain",
        "call-1",
        "shop",
        "capitals",
    )
    assert (one.label, one.consent, one.vendor, one.model, one.latency) == (
        "confidential:GDPR",
        True,
        "openai-api",
        "gpt-4o",
        0.25,
    )
    assert one.usage.estimated and one.usage.input > 0
    assert (report.new, report.label) == (1, "confidential:GDPR")


def test_what_the_command_says_goes_before_what_the_log_says(instance, log):
    importing(instance, log(jsonl(call(1, metadata={"app": "shop"}))), app="bench", vendor="azure-openai")
    (one,) = instance.shelf.records(Which())
    assert (one.app, one.vendor, one.label, one.consent) == ("bench", "azure-openai", "unknown", None)


def test_the_same_call_twice_is_one(instance, log):
    path = log(jsonl(call(1), call(2), call(1)))
    report = importing(instance, path)
    assert (report.new, report.known) == (2, 1)
    again = importing(instance, path, log(jsonl(call(2), call(3)), "more.jsonl"))
    assert (again.new, again.known) == (1, 4)
    assert questions(instance) == [1, 2, 3]


def test_without_a_time_the_same_call_has_the_same_place_every_time(instance, log, tmp_path):
    line = {"messages": [{"role": "user", "content": "1: hi"}, {"role": "assistant", "content": "yes"}]}
    other = {"messages": [{"role": "user", "content": "2: hi"}, {"role": "assistant", "content": "no"}]}
    report = importing(instance, log(jsonl(line, other, line)))
    assert (report.new, report.known, report.untimed) == (2, 1, 3)
    assert importing(instance, log(jsonl(other, line), "turned.jsonl")).new == 0
    elsewhere = Instance(tmp_path / "elsewhere")
    importing(elsewhere, log(jsonl(other), "alone.jsonl"))
    (there,) = elsewhere.shelf.records(Which())
    assert there.id in {one.id for one in instance.shelf.records(Which())}
    elsewhere.engine.dispose()


@pytest.mark.parametrize(
    "pack",
    [bytes, gz, zst, lambda data: gz(data[:600]) + gz(data[600:]), lambda data: zst(data[:600]) + zst(data[600:])],
)
@pytest.mark.parametrize("shape", ["lines", "array", "wrapped", "pretty", "marked"])
def test_packing_and_shape_are_seen_by_content_not_by_name(instance, log, pack, shape):
    calls = [call(number) for number in range(5)]
    data = {
        "lines": jsonl(*calls),
        "array": json.dumps(calls).encode(),
        "wrapped": json.dumps({"data": calls}).encode(),
        "pretty": json.dumps(calls, indent=2).encode(),
        "marked": b"\xef\xbb\xbf" + jsonl(*calls).replace(b"\n", b"\r\n"),
    }[shape]
    path = log(pack(data), "log.bin")
    report = importing(instance, path)
    assert (report.new, report.rejected) == (5, 0)
    assert report.files[0].sha256 == __import__("hashlib").sha256(path.read_bytes()).hexdigest()


def test_halves_find_each_other_whatever_their_order(instance, log):
    mixed = [
        half(1, answer=True),
        half(2, answer=False),
        half(1, answer=False),
        half(3, answer=False),
        half(2, answer=True),
    ]
    report = importing(instance, log(jsonl(*mixed)), log(jsonl(half(3, answer=True)), "more"))
    assert (report.new, report.rejected) == (3, 0)
    assert sorted(questions(instance)) == [1, 2, 3]
    assert all(one.answered for one in instance.shelf.records(Which()))


def test_halves_left_alone_are_told_and_join_when_both_are_given(instance, log):
    asked = log(jsonl(half(1, answer=False), half(2, answer=False), half(2, answer=False)), "in")
    answered = log(jsonl(half(1, answer=True)), "out")
    report = importing(instance, asked)
    assert (report.new, report.rejected) == (0, 3)
    assert [(one["line"], one["reason"].partition(":")[0]) for one in rejects(report)] == [
        (3, "its id occurs twice"),
        (1, "its answer is in none of the files"),
        (2, "its answer is in none of the files"),
    ]
    assert importing(instance, answered).rejected == 1
    assert importing(instance, answered, asked).new == 1


def test_a_batch_call_that_failed_is_kept_without_an_answer(instance, log):
    failed = {
        "custom_id": "c1",
        "response": {"status_code": 429, "body": {"error": {"message": "slow down"}}},
        "error": None,
    }
    importing(instance, log(jsonl(half(1, answer=False), failed)))
    (one,) = instance.shelf.records(Which())
    assert (one.status, one.response, one.answered) == (429, b"", False)


def test_an_import_is_written_down_and_audited(instance, log):
    path = log(jsonl(call(1), b"{", call(1)))
    report = importing(instance, path, label="internal")
    with reading(instance.engine) as connection:
        (row,) = store.list_imports(connection)
        ((_, _, kind, actor, content),) = queued(connection, 10)
    assert (row.new, row.known, row.rejected, row.label, row.ended is not None) == (1, 1, 1, "internal", True)
    assert row.files[0]["sha256"] == report.files[0].sha256 and row.files[0]["formats"] == {"plain": 2}
    assert (kind, actor) == ("records.import", "cli")
    assert json.loads(content)["import"] == report.id and json.loads(content)["new"] == 1


def test_progress_reaches_the_end_of_the_files(instance, log):
    told = []
    paths = [log(jsonl(*(call(number) for number in range(2500)))), log(gz(jsonl(call(9999))), "b")]
    importing(instance, *paths, progress=lambda read, counts: told.append((read, counts.new + counts.known)))
    assert told[-1] == (sum(one.stat().st_size for one in paths), 2501)
    assert [one for one, _ in told] == sorted(one for one, _ in told) and len(told) >= 4
