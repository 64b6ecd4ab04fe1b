"""Datasets split by time, without leaks."""

from __future__ import annotations

import json
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import sha256
from freehold.core.errors import FileRefused
from freehold.evals.datasets import ANNOTATION, Example, digest, examples, read, said, split, write
from freehold.evals.duplicates import groups
from freehold.evals.errors import NothingToEvaluate
from freehold.grading.types import Answer, ToolCall
from tests.evals.conftest import START, number_of, question, record

LONG = "please tell me when the parcel with my new walking boots will be brought to the cottage by the lake"


def example(index, asked="", **more):
    body = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": asked or f"q {index}"}]}
    values = {
        "id": number_of(index),
        "at": START + index,
        "request": json.dumps(body).encode(),
        "incumbent": Answer("a"),
    }
    return Example(**{**values, **more})


def test_near_duplicates_share_a_group_and_others_do_not():
    texts = [
        LONG,
        LONG.upper() + "!",
        LONG.replace("new", "old"),
        "what is the weather like up there",
        "order 17",
        "order 18",
    ]
    found = groups(texts)
    assert found[0] == found[1] == found[2]
    assert found[4] == found[5]
    assert len(set(found)) == 3


def test_a_template_that_all_share_makes_no_duplicates():
    template = "sort the message below into one of these kinds invoice order refund complaint question praise "
    words = [question(n) for n in range(36)]
    assert len(set(groups([template + one for one in words]))) == len(words)


def test_the_test_side_is_later_and_knows_none_of_the_first():
    found = [example(n) for n in range(8)] + [
        example(9, LONG),
        example(1000, LONG + "?"),
        example(1001, "else entirely"),
    ]
    made = split(found, START + 500)
    assert [one.id for one in made.test] == [number_of(1001)]
    assert made.dropped == 1
    assert len(made.train) == 9


def test_a_conversation_stays_on_the_side_it_began():
    found = [
        example(1, "one thing", conversation="c"),
        example(9, "another matter", conversation="c"),
        example(10, "new"),
    ]
    made = split(found, START + 5)
    assert [one.id for one in made.test] == [number_of(10)]


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from(["", LONG, LONG + " now", "b c", "B  c!", "d"])), min_size=1
    ),
    share=st.floats(0.0, 1.0),
)
def test_nothing_leaks_whatever_the_calls(drawn, share):
    found = [example(index, text, id=bytes([place]) * 16) for place, (index, text) in enumerate(drawn)]
    made = split(found, share=share)
    assert all(one.at < made.at for one in made.train)
    assert all(one.at >= made.at for one in made.test)
    alike = groups([said(one) for one in (*made.train, *made.test)])
    assert not set(alike[: len(made.train)]) & set(alike[len(made.train) :])
    assert len(made.train) + len(made.test) + made.dropped == len(found)


def test_examples_take_what_people_said_as_right():
    gold = {number_of(1): Answer("no")}
    found = list(examples([record(0), record(1), record(2, response=b""), record(3, status=500)], gold.get))
    assert [one.reference.text for one in found] == ["yes", "no"]
    assert [one.gold_source for one in found] == ["", ANNOTATION]


def test_what_is_written_is_read_again_and_is_its_owners_alone(tmp_path):
    found = [
        example(1),
        example(2, incumbent=Answer(tool_calls=(ToolCall("f", "{}"),)), gold=Answer("x"), consent=True),
    ]
    path = tmp_path / "in" / "train.jsonl"
    told = write(found, path)
    assert told == sha256(path.read_bytes()).hex() == digest(found)
    assert read(path) == found
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileRefused):
        write([example(1)], tmp_path / "file" / "x.jsonl")


def test_nothing_is_nothing():
    with pytest.raises(NothingToEvaluate):
        split([])
