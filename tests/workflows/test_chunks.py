"""A log read in chunks, in whatever process and whatever is killed, is the log read in one go."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

from freehold.jobs.local_pool import LocalPool
from freehold.jobs.pool import InProcess
from freehold.workflows import chunks
from freehold.workflows.chunks import Chunk, cut, read
from freehold.workflows.documents import Element
from freehold.workflows.drafts import Options
from freehold.workflows.formats.registry import FORMATS
from freehold.workflows.imports import Into, import_files
from freehold.workflows.pieces import Raw
from freehold.workflows.store import Which
from tests.workflows.conftest import Instance
from tests.workflows.logs import HALVES, call, half, jsonl, questions
from tests.workflows.test_import_variants import VARIANTS

HELICONE, LITELLM = VARIANTS["helicone with texts for bodies"], VARIANTS["litellm from an object store"]
EITHER = {**LITELLM, **HELICONE}
"""Known by two forms: which one it is depends on the element before it."""


@pytest.fixture(scope="module")
def pool():
    made = LocalPool(2, patience=0.0)
    yield made
    made.close()


def mixed():
    """Calls of many forms, halves that find each other or not, lines that are none, the same call twice."""
    lines = [call(1), b"{", {"what": 1}, half(5, answer=False), *HALVES, call(1), [1, 2], b"\xff", EITHER]
    lines += [*VARIANTS.values(), LITELLM, EITHER, {"run_type": "chain", "inputs": {}}, half(9, answer=True), EITHER]
    return jsonl(*lines, *(call(number) for number in range(10, 40)), half(5, answer=True), half(5, answer=True))


def imported(home: Path, log: Path, pool, progress=None):
    """What an import leaves: its report, its rejects, and every record; of nobody's own time or place."""
    made = Instance(home)
    try:
        into = Into(made.path, made.engine, made.shelf, made.sealer, 86400.0, pool)
        report = import_files([log], into, Options(), bytes(16), lambda: 1_760_000_000.0, progress)
        told = msgspec.to_builtins(report)
        lines = Path(told.pop("rejects")).read_text().splitlines() if report.rejects else []
        records = [msgspec.structs.replace(one, app="") for one in made.shelf.records(Which())]
        return told, lines, records, questions_of(records)
    finally:
        made.engine.dispose()


def questions_of(records):
    return [json.loads(one.request)["messages"][-1]["content"] for one in records]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 250])
def test_the_same_comes_in_whatever_the_chunks(tmp_path, monkeypatch, pool, most):
    log = tmp_path / "log.jsonl"
    log.write_bytes(mixed())
    whole = imported(tmp_path / "whole", log, InProcess())
    assert whole[0]["rejected"] > 5 and whole[0]["skipped"] and whole[0]["known"]
    monkeypatch.setattr(chunks, "MOST_PIECES", most)
    assert imported(tmp_path / "here", log, InProcess()) == whole
    assert imported(tmp_path / "apart", log, pool) == whole


def test_which_form_it_is_hangs_on_the_element_before_it_in_another_chunk_too():
    assert len([one for one in FORMATS if one.knows(EITHER)]) == 2

    def forms(*elements, likely=""):
        raws = tuple(Raw(at, "line", Element(json.dumps(one).encode())) for at, one in enumerate(elements))
        done = read(Chunk(raws, Options(), bytes(16), likely))
        return done, [one.form for one in done.taken]

    assert forms(HELICONE, EITHER)[1] == ["helicone", "helicone"]
    assert forms(LITELLM, EITHER)[1] == ["litellm", "litellm"]
    guessed, found = forms(EITHER)
    assert found == ["helicone"]
    assert guessed.holds("") and guessed.holds("helicone") and guessed.holds("plain")
    assert not guessed.holds("litellm")


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(tmp_path, monkeypatch, pool, instance):
    monkeypatch.setattr(chunks, "MOST_PIECES", 5)
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(*(call(number) for number in range(400))))
    killed = []

    def kill(_read, _counts):
        fresh = [one for one in pool.workers if one not in killed]
        if len(killed) < 3 and fresh:
            killed.append(fresh[0])
            os.kill(fresh[0], signal.SIGKILL)

    into = Into(instance.path, instance.engine, instance.shelf, instance.sealer, 86400.0, pool)
    report = import_files([log], into, Options(), bytes(16), lambda: 1_760_000_000.0, kill)
    assert len(killed) == 3
    assert (report.new, report.known, report.rejected) == (400, 0, 0)
    assert sorted(questions(instance)) == list(range(400))


def test_chunks_are_bounded_by_number_and_by_bytes():
    some = [Raw(at, "line", Element(b"x" * (1 << 19))) for at in range(5)]
    assert [len(one) for one in cut(some)] == [2, 2, 1]
    small = [Raw(at, "line", Element(b"{}")) for at in range(600)]
    assert [len(one) for one in cut(small)] == [250, 250, 100]
