from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.db import reading
from freehold.core.errors import FileRefused
from freehold.ledger import capture
from freehold.workflows import store
from freehold.workflows.errors import StorageFull
from freehold.workflows.reading import lines
from freehold.workflows.store import Which
from tests.workflows.logs import call, importing, jsonl, questions, rejects


def gz(data):
    return gzip.compress(data)


def zst(data):
    return zstandard.ZstdCompressor().compress(data)


def test_bad_lines_are_told_with_their_place_and_stop_nothing(instance, log):
    bad = [
        b'{"cut": ',
        b"[1, 2]",
        b"not json",
        b'"text"',
        b'{"no": "form"}',
        b'{"a": "\xe9"}',
        b'{"a": "\\ud800"}',
        b"[" * 5000,
    ]
    path = log(jsonl(call(1), *bad, call(2)))
    report = importing(instance, path)
    assert questions(instance) == [1, 2]
    told = rejects(report)
    assert report.rejected == len(told) == len(bad)
    assert [one["line"] for one in told] == list(range(2, 2 + len(bad)))
    assert all(one["file"] == str(path) and one["reason"] for one in told)
    assert "Latin-1" in told[5]["reason"] and "members are no" in told[4]["reason"]
    assert Path(report.rejects).stat().st_mode & 0o077 == 0


def test_a_line_that_is_too_long_is_left_out_and_never_held(instance, log, monkeypatch):
    path = log(jsonl(call(1), call(2, question="x" * (17 << 20)), call(3)))
    report = importing(instance, path)
    assert questions(instance) == [1, 3]
    assert [(one["line"], one["reason"]) for one in rejects(report)] == [(2, "the line is longer than 16 MiB")]


def test_lines_hold_no_more_than_the_longest_allowed():
    held = list(lines(iter([b"a" * 10] * 50 + [b"\nb\n", b"c"]), longest=100))
    assert held == [(1, None), (2, b"b"), (3, b"c")]


@given(st.lists(st.binary(max_size=12), max_size=8))
def test_lines_are_the_same_however_the_bytes_come(chunks):
    whole = b"".join(chunks)
    expected = whole.split(b"\n")
    found = [line for _, line in lines(iter(chunks))]
    assert found == (expected[:-1] if expected[-1] == b"" else expected)


@pytest.mark.parametrize("pack", [gz, zst], ids=["gzip", "zstd"])
def test_a_packed_file_that_is_cut_gives_what_stands_before(instance, log, pack):
    data = jsonl(*(call(number, question=os.urandom(40).hex()) for number in range(3000)))
    packed = pack(data)
    report = importing(instance, log(packed[: len(packed) // 2]))
    assert 200 < report.new < 3000
    assert "cut off" in report.files[0].trouble and "cut off" in rejects(report)[-1]["reason"]


def test_a_damaged_packed_file_is_told_too(instance, log):
    packed = bytearray(gz(jsonl(*(call(number, question=os.urandom(40).hex()) for number in range(3000)))))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    report = importing(instance, log(bytes(packed)))
    assert 0 < report.new < 3000
    assert "damaged" in report.files[0].trouble


@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_that_is_cut_gives_what_stands_before(instance, log, indent):
    data = json.dumps({"data": [call(number) for number in range(20)]}, indent=indent).encode()
    report = importing(instance, log(data[: len(data) // 2]))
    assert 5 < report.new < 12
    assert "the document ends" in report.files[0].trouble


def test_the_last_line_of_a_cut_file_is_told(instance, log):
    report = importing(instance, log(jsonl(call(1), call(2))[:-30]))
    assert (questions(instance), report.rejected, rejects(report)[0]["line"]) == ([1], 1, 2)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (json.dumps(call(1)).encode("utf-16"), "UTF-16"),
        (json.dumps(call(1)).encode("utf-16-le"), "UTF-16"),
        (json.dumps(call(1)).encode("utf-32"), "UTF-32"),
        (b"id,question\n1,hello\n", "neither a JSON document nor a line of JSON"),
        (b"PAR1....", "Parquet"),
        (b"PK\x03\x04....", "zip"),
    ],
)
def test_a_file_of_another_kind_is_refused_clearly_and_others_are_read(instance, log, data, why):
    report = importing(instance, log(data, "bad"), log(jsonl(call(1)), "good"))
    assert questions(instance) == [1]
    assert why in report.files[0].trouble and why in rejects(report)[0]["reason"]


def test_an_empty_file_is_nothing(instance, log):
    report = importing(instance, log(b""), log(b"\n \n", "b"), log(gz(b""), "c"))
    assert (report.new, report.rejected) == (0, 0)


def test_a_file_that_is_not_there_is_said_before_anything_is_read(instance, log):
    with pytest.raises(FileRefused, match="No such file"):
        importing(instance, log(jsonl(call(1))), Path("/nowhere/log.jsonl"))
    assert questions(instance) == []


def test_a_full_disk_is_said_and_the_same_import_completes(instance, log, monkeypatch):
    path = log(jsonl(*(call(number) for number in range(2500))))
    real, left = capture._write_unflushed, [1500]

    def full(where, data):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(where))
        real(where, data)

    monkeypatch.setattr(capture, "_write_unflushed", full)
    with pytest.raises(StorageFull, match="storage full") as caught:
        importing(instance, path)
    assert "same import again" in caught.value.hint
    assert questions(instance) == list(range(1000))  # whole batches, no half ones
    with reading(instance.engine) as connection:
        assert [(one.error, one.ended) for one in store.list_imports(connection)] == [("storage full", None)]
    monkeypatch.setattr(capture, "_write_unflushed", real)
    again = importing(instance, path)
    assert (again.new, again.known, questions(instance)) == (1500, 1000, list(range(2500)))


def test_an_import_killed_at_any_moment_is_completed_by_the_next(instance, log, tmp_path):
    path = log(jsonl(*(call(number) for number in range(3500))))
    script = "import sys; from pathlib import Path; from tests.workflows.conftest import Instance; from tests.workflows.logs import importing; importing(Instance(Path(sys.argv[1])), Path(sys.argv[2]))"
    for wanted in (1, 2000):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(instance.path), str(path)], cwd=Path(__file__).parents[2]
        )
        deadline = time.monotonic() + 60
        while child.poll() is None and instance.shelf.count(Which()) < wanted and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = instance.shelf.count(Which())
    again = importing(instance, path)
    assert (again.new, again.known) == (3500 - before, before)
    assert questions(instance) == list(range(3500))
