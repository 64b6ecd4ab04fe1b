"""Moves in the console: evidence against thresholds, what holds one, and what people do about it."""

from __future__ import annotations

import asyncio

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.moves import store as moves
from freehold.server.actors import Actor
from freehold.server.app import create_app, guarded
from freehold.server.console import moves as pages
from freehold.server.console.ask import Ask
from freehold.server.console.page import Fields, View
from freehold.server.console.render import Renderer
from tests.server.conftest import TOKEN
from tests.server.console.moving import tell, text_of
from tests.server.test_moves import add, pair


def test_a_move_shows_its_evidence_against_its_thresholds(signed_in, move):
    page = signed_in.get("/moves/mv_1")
    said = text_of(page)
    assert page.status_code == 200
    assert "evidence: proven, futility: refused at 20" in said and "alarm: rolled back at 25000" in said
    assert "evidence 31.5, bound 20" in said and "90" in said
    assert "canary, 5% of the calls" in said and move.rule.digest() in page.text
    assert page.text.count('<svg class="chart"') == 2
    assert "No such pair" in text_of(signed_in.get("/moves/mv_1?which=worse"))
    assert signed_in.get("/moves/mv_1?which=odd").status_code == 200
    assert signed_in.get("/moves/mv_9").status_code == 404


def test_a_step_that_waits_is_approved_from_the_list(signed_in, instance, move):
    tell(instance, move, "waiting", step="owned")
    page = signed_in.get("/moves")
    assert 'action="/console/moves/mv_1/approve"' in page.text and "Approve owned" in text_of(page)
    told = signed_in.send("/moves/mv_1/approve", page="/moves")
    assert "Approved" in text_of(told)
    with instance.reading() as connection:
        assert moves.load(connection, "mv_1").approved == ("owned",)


def test_a_hold_tells_metric_value_and_bound_and_is_let_go_on(signed_in, instance, move):
    tell(instance, move, "held", why="the evidence fell back", metric="evidence", value=12.5, bound=20.0)
    said = text_of(signed_in.get("/moves/mv_1"))
    assert "Held: the evidence fell back" in said and "measured 12.5, bound 20" in said
    told = signed_in.send("/moves/mv_1/resume", {"why": "looked at it"}, page="/moves/mv_1")
    assert "It goes on" in text_of(told) and "looked at it" in text_of(told)
    signed_in.send("/moves/mv_1/hold", {"why": "wait"}, page="/moves/mv_1")
    with instance.reading() as connection:
        assert moves.load(connection, "mv_1").held == "wait"


def test_a_step_by_hand_needs_a_reason_and_a_rollback_ends_it(signed_in, instance, move):
    assert signed_in.send("/moves/mv_1/promote", {"why": ""}, page="/moves/mv_1").status_code == 400
    told = signed_in.send("/moves/mv_1/promote", {"why": "I know"}, page="/moves/mv_1")
    assert "by hand" in text_of(told)
    told = signed_in.send("/moves/mv_1/rollback", {"why": "not after all"}, page="/moves/mv_1")
    assert "Given back" in text_of(told) and "rolled back" in text_of(told)
    with instance.reading() as connection:
        assert moves.load(connection, "mv_1").stage == "rolled_back"
    assert "Start another move" in text_of(signed_in.get("/moves/mv_1"))


def test_the_dossier_is_read_and_saved(signed_in, move):
    told = signed_in.get("/moves/mv_1/dossier")
    assert "attachment" in told.headers["content-disposition"] and b"mv_1" in told.content
    page = signed_in.get("/moves/mv_1/dossier.html")
    assert page.headers["content-type"].startswith("text/html") and "sandbox" in page.headers["content-security-policy"]


def test_evidence_grows_while_one_looks_and_a_step_is_told(instance, move, monkeypatch):
    monkeypatch.setattr(pages, "EVERY_SECONDS", 0.0)
    renderer = Renderer()

    async def look():
        actor = Actor("owner", "owner")
        ask = Ask(guarded(create_app(instance, TOKEN), ("127.0.0.1",)), actor)
        view = View(ask, actor, {"name": "mv_1"}, Fields(()), Fields(()), 0.0)
        values = {"now": 0.0, "role": "owner"}
        events = pages.live(view, lambda template, **more: renderer.text(template, {**values, **more}))
        assert (await anext(events)).name == "quiet"
        add(instance, move, [pair(91, 0.0)])
        seen = [await anext(events), await anext(events)]
        tell(instance, move, "held", why="<b>look</b>")
        while True:
            event = await anext(events)
            if event.name != "quiet":
                return [*seen, event]

    figures, evidence, moved = asyncio.run(look())
    assert (figures.name, evidence.name, moved.name) == ("figures", "evidence", "moved")
    assert ">91<" in figures.html and "91 pairs" in evidence.html
    assert "held" in moved.html and "/console/moves/mv_1" in moved.html
