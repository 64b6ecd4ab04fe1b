"""Workflows, moves, evaluations and annotations together: empty, forbidden, hostile, and as programs read them."""

from __future__ import annotations

import json
import re

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.jobs import store as jobs
from freehold.moves import store as moves
from freehold.workflows import store as records
from freehold.workflows.shelf import Shelf
from freehold.workflows.types import Shape
from tests.evals.conftest import START, WORKFLOW, number_of, record
from tests.server.console.moving import HOSTILE, MARKUP, RUN, begin, evaluate, keep, name, tell, text_of
from tests.server.test_moves import add, pair

PLACES = ("/workflows", "/moves", "/evals", "/annotations", "/annotations?kind=score")


def test_an_empty_install_leads_on(signed_in):
    for path, words in zip(
        PLACES, ("freehold import", "freehold moves start", "freehold evals run", "evals run", "evals run"), strict=True
    ):
        page = signed_in.get(path)
        assert page.status_code == 200, path
        assert words in text_of(page), path


ACTIONS = (
    "/workflows/discover",
    f"/workflows/{WORKFLOW}/rename",
    f"/workflows/{WORKFLOW}/merge",
    f"/workflows/{WORKFLOW}/split",
    f"/workflows/{WORKFLOW}/move",
    *(f"/moves/mv_1/{verb}" for verb in ("approve", "hold", "promote", "resume", "rollback")),
    "/evals",
    f"/evals/{RUN}/judge",
    f"/evals/{RUN}/resume",
    "/annotations",
)


def test_every_form_needs_the_word_of_its_session_and_the_right(signed_in, browser_of, instance, run, move):
    eyes = browser_of("auditor")
    for path in ACTIONS:
        assert signed_in.client.post("/console" + path, data={"why": "x"}).status_code == 403, path
        fields = {
            "why": "x",
            "to": "x",
            "into": "x",
            "template": "1",
            "recipe": "none",
            "choice": "other",
            "answer": "x",
        }
        fields |= {"workflow": WORKFLOW, "target": "mine", "judge": "rented", "record": name(0)}
        assert eyes.send(path, fields, page="/moves").status_code == 403, path
    with instance.reading() as connection:
        assert moves.load(connection, "mv_1").events == move.events
        assert jobs.list_jobs(connection) == []
    page = eyes.get("/moves/mv_1")
    assert "/rollback" not in page.text and "is for owner and operator" in text_of(page)
    assert "/rename" not in eyes.get(f"/workflows/{WORKFLOW}").text


def test_who_may_not_look_is_told_so(browser_of, run, move):
    money = browser_of("finance")
    for path in (*PLACES[:3], f"/workflows/{WORKFLOW}", "/moves/mv_1", f"/evals/{RUN}"):
        page = money.get(path)
        assert page.status_code in (200, 403) and "lacks" in text_of(page), path
        assert "yes-or-no" not in page.text


def test_whatever_traffic_says_is_never_markup(signed_in, instance):
    body = json.dumps(
        {"model": "gpt", "messages": [{"role": "system", "content": HOSTILE}, {"role": "user", "content": HOSTILE}]}
    )
    found = [record(n, HOSTILE, model=HOSTILE, app=HOSTILE, request=body.encode()) for n in range(40)]
    Shelf(instance.engine, instance.bodies).put(found, START, 1e9)
    with writing(instance.engine) as connection:
        records.assign(connection, [(one.id, WORKFLOW) for one in found])
    shape = Shape(kind="label", share=1.0, names=(HOSTILE,), tools=(HOSTILE,), keys=(HOSTILE,))
    keep(instance, HOSTILE, shape=shape, samples=(number_of(0),))
    evaluate(instance, HOSTILE, HOSTILE + " indeed")
    made = begin(instance, incumbent=HOSTILE)
    add(instance, made, [pair(number) for number in range(1, 9)])
    tell(instance, made, "held", why=HOSTILE, metric=HOSTILE, value=1.0, bound=2.0)
    line = json.dumps({"record": name(1), "answer": HOSTILE, "who": HOSTILE, "note": HOSTILE})
    signed_in.client.post(
        "/api/annotations", json={"who": HOSTILE, "lines": line}, headers={"authorization": "Bearer token-of-the-owner"}
    )
    for path in (
        *PLACES,
        f"/workflows/{WORKFLOW}?samples=yes",
        "/moves/mv_1",
        f"/evals/{RUN}",
        f"/evals/{RUN}/answers?which=all",
        f"/annotations?workflow={WORKFLOW}&kind={HOSTILE}&run={RUN}",
        f"/evals?workflow={WORKFLOW}",
    ):
        page = signed_in.get(path)
        assert page.status_code == 200, path
        assert not MARKUP.search(page.text), path
    assert "&lt;script&gt;" in signed_in.get("/moves/mv_1").text


def test_pages_have_twins_ids_once_and_nothing_inline(signed_in, run, move):
    for path in (
        *PLACES,
        f"/workflows/{WORKFLOW}?samples=yes",
        "/moves/mv_1",
        f"/evals/{RUN}",
        f"/evals/{RUN}/answers",
    ):
        page = signed_in.get(path)
        assert page.status_code == 200, path
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", page.text), path
        ids = re.findall(r'\sid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids)), (path, sorted(one for one in ids if ids.count(one) > 1))
        labelled = set(re.findall(r'<label[^>]*for="([^"]+)"', page.text))
        fields = re.findall(r'<(?:select|textarea|input(?![^>]*type="(?:hidden)"))[^>]*>', page.text)
        for one in fields:
            assert "aria-label=" in one or re.search(r'id="([^"]+)"', one)[1] in labelled, (path, one)
        assert page.text.count("<h1>") == 1, path
    twin = signed_in.twin("/moves/mv_1")
    assert twin["asked"]["/api/moves/mv_1"]["measured"]["pairs"] == 90
