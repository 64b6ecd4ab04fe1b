from __future__ import annotations

import gzip
import json
import os
import random
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.discovery import FOLDER, Log, ari
from bench.discovery import Held as Calls
from bench.messy_logs import calls
from freehold.jobs.local_pool import LocalPool
from freehold.workflows.drift import MOST_WEEKS, weeks
from freehold.workflows.grouping import group
from freehold.workflows.maturity import measure
from freehold.workflows.records import UNTIMED
from freehold.workflows.templates import mine
from freehold.workflows.trees import Index
from freehold.workflows.types import Shape
from tests.workflows.traffic import START, Held, record, traffic

LOG = FOLDER / "traffic.jsonl.gz"


def partition(found, records):
    sets = {}
    for one, label in zip(records, found.label.tolist(), strict=True):
        sets.setdefault(label, set()).add(one.id)
    return {frozenset(one) for one in sets.values()}


def test_tasks_are_told_apart_without_labels():
    records, truth = traffic(60)
    found = group(Held(records))
    assert ari(found.label.tolist(), [truth[one.id] for one in records]) == 1.0


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_the_order_of_the_records_changes_nothing(seed):
    records, _ = traffic(40)
    shuffled = list(records)
    random.Random(seed).shuffle(shuffled)
    assert partition(group(Held(records)), records) == partition(group(Held(shuffled)), shuffled)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("agents", 0.95), ("chats", 0.95), ("dynamic", 0.95), ("exploring", 0.95), ("few_shot", 0.95), ("languages", 0.95),
        ("no_system", 0.95), ("rag", 0.95), ("terse", 0.9), ("tiny", 0.9), ("versions", 0.95),
    ],
)  # fmt: skip
def test_messy_logs(name, least):
    found, truth = calls(name)
    result = group(Calls(found))
    assert ari(result.label.tolist(), truth) >= least
    if name == "exploring":  # people trying a model out are one group, and known as such
        chat = {label for label, of in zip(result.label.tolist(), truth, strict=True) if of == "exploratory"}
        assert {result.loose[label] for label in chat} == {True}
        assert sum(result.loose) == 1


def test_nothing_and_very_little_are_grouped_too():
    assert len(group(Held([])).groups) == 0
    records, _ = traffic(1)
    assert len(group(Held(records)).label) == 3


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.text(max_size=60).map(
                lambda text: json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
            ),
            st.dictionaries(st.sampled_from(["messages", "tools", "system", "response_format"]), st.none() | st.text())
            .map(json.dumps)
            .map(str.encode),
        ),
        max_size=40,
    )
)
def test_whatever_a_body_holds_every_record_gets_a_group(bodies):
    records = [
        type(record(0, {}, ""))(id=bytes([number]) * 16, at=0.0, source="x", model="", request=one, response=one)
        for number, one in enumerate(bodies)
    ]
    found = group(Held(records))
    assert len(found.label) == len(records)
    assert all(0 <= one < len(found.groups) for one in found.label.tolist())


@pytest.fixture(scope="module")
def log():
    """What is found in the shared log, and the truth."""
    if not LOG.exists():
        pytest.skip("the shared log is not there")
    with gzip.open(LOG.with_name("truth.jsonl.gz"), "rt") as file:
        truth = {one["id"]: one["workflow"] for one in map(json.loads, file)}
    source = Log(LOG)
    return group(source), [truth[one.id] for one in source.lines()]


def test_calls_without_a_time_count_in_no_week_and_no_age():
    records, _ = traffic(60)
    found = group(Held(records))
    at = START + np.arange(len(records)) * 86400.0 / 4
    at[::7] = 1000.0
    late = found.mined.at.copy()
    late[:] = START
    late[-1] = 2e11  # a year that no calendar of ours reaches
    index = Index.of(found.mined, found.cells)
    shape = Shape(kind="text", share=1.0)
    for number in range(len(found.groups)):
        timed = replace(found, mined=replace(found.mined, at=at))
        span = weeks(timed, index, number)
        mine = at[(found.label == number) & (at >= UNTIMED)]
        assert span[0].begins == mine.min() and sum(one.calls for one in span) == len(mine)
        assert measure(timed, number, shape, span).days == pytest.approx((mine.max() - mine.min()) / 86400)
        assert len(weeks(replace(found, mined=replace(found.mined, at=late)), index, number)) <= MOST_WEEKS
        none = replace(found, mined=replace(found.mined, at=np.full(len(records), 5.0)))
        assert weeks(none, index, number) == () and measure(none, number, shape, ()).days == 0


def test_workflows_of_the_shared_log_are_found_with_metadata_hidden(log):
    found, truth = log
    assert ari(found.label.tolist(), truth) >= 0.99


def test_only_the_playground_of_the_shared_log_is_chat(log):
    found, truth = log
    of = dict(zip(found.label.tolist(), truth, strict=True))
    assert [of[number] for number, loose in enumerate(found.loose) if loose] == ["exploratory"]


def test_only_support_replies_of_the_shared_log_drift(log):
    found, truth = log
    of = dict(zip(found.label.tolist(), truth, strict=True))
    index = Index.of(found.mined, found.cells)
    low = set()
    for number, name in of.items():
        likes = sorted(one.likeness for one in weeks(found, index, number) if one.likeness is not None)
        if likes and likes[len(likes) // 2] < 0.5:
            low.add(name)
    assert low == {"support_reply"}


def test_texts_are_read_alike_here_and_by_processes_one_of_which_dies():
    source = Held(traffic(600)[0])
    alone = mine(source)
    pool = LocalPool(2, patience=0)
    killed = []

    def kill(_what, _done):
        if pool.workers and not killed:
            killed.append(pool.workers[0])
            os.kill(killed[0], signal.SIGKILL)

    try:
        apart = mine(source, kill, pool)
    finally:
        pool.close()
    assert killed
    for name in alone.__struct_fields__:
        here, there = getattr(alone, name), getattr(apart, name)
        if name == "signatures":
            assert [one.tolist() for one in here] == [one.tolist() for one in there]
        else:
            assert np.array_equal(here, there) if isinstance(here, np.ndarray) else here == there, name
