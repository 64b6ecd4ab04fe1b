"""Annotations in the console: one call after the other, without any script."""

from __future__ import annotations

import html
import json
import re

import pytest

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.evals import store as evals
from tests.evals.conftest import WORKFLOW
from tests.server.console.moving import name, text_of


def test_people_say_what_is_right_one_call_after_the_other(signed_in, instance, run):
    fields = {"kind": "answer", "item_run": run}
    for number, (choice, more) in enumerate((("recorded", {}), ("candidate", {}), ("other", {"answer": "maybe"}))):
        page = signed_in.get("/annotations")
        assert name(5 * number) in page.text and f"{number} of 8 done" in text_of(page)
        told = signed_in.send(
            "/annotations", {**fields, "record": name(5 * number), "choice": choice, **more}, page="/annotations"
        )
        assert "Here is the next" in text_of(told)
    with instance.reading() as connection:
        found = evals.list_annotations(connection, WORKFLOW, "answer")
    exported = signed_in.get("/annotations/export").text
    said = {one["record"]: one["answer"] for one in map(json.loads, exported.splitlines())}
    assert said == {name(0): "no", name(5): "yes", name(10): "maybe"}
    assert {one.who for one in found} == {"owner"}


def test_people_score_answers_that_were_drawn_by_chance(signed_in, instance, run):
    page = signed_in.get("/annotations?kind=score")
    drawn = re.search(r'name="record" value="(rec_\w+)"', page.text)[1]
    fields = {"kind": "score", "record": drawn, "target": "mine", "mark": "4", "note": "a little curt"}
    signed_in.send("/annotations", fields, page="/annotations?kind=score")
    with instance.reading() as connection:
        (one,) = evals.list_annotations(connection, WORKFLOW, "score")
    assert (one.score, one.target, one.note) == (0.75, "mine", "a little curt")
    assert drawn not in signed_in.get("/annotations?kind=score").text.split("Said lately")[0]


def test_what_is_put_off_comes_later(signed_in, run):
    page = signed_in.get("/annotations")
    later = html.unescape(re.search(r'data-later="([^"]+)"', page.text)[1])
    page = signed_in.get("/annotations" + later)
    assert f'name="record" value="{name(5)}"' in page.text and "1 put off" in text_of(page)


@pytest.mark.parametrize(
    "fields",
    [{"choice": ""}, {"choice": "other"}, {"kind": "score", "mark": "9"}, {"record": "rec_0", "choice": "recorded"}],
)
def test_a_word_that_says_nothing_is_refused(signed_in, instance, run, fields):
    told = signed_in.send(
        "/annotations", {"kind": "answer", "record": name(0), "item_run": run, **fields}, page="/annotations"
    )
    assert told.status_code in (400, 404)
    with instance.reading() as connection:
        assert evals.list_annotations(connection) == []
